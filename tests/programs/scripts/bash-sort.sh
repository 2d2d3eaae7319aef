# A longer program in bash: sorts, counts words, computes primes and a matrix, all in the shell.
# programs: bash-static
# shell: bash-static
sieve() {
    local n=$1 i j; local -a composite primes
    for ((i = 2; i <= n; i++)); do
        [[ ${composite[i]} ]] && continue
        primes+=("$i")
        for ((j = i * i; j <= n; j += i)); do composite[j]=1; done
    done
    echo "${#primes[@]} ${primes[-1]}"
}
sieve 2000
quicksort() {
    (($# < 2)) && { echo "$@"; return; }
    local pivot=$1 x; shift; local -a low high
    for x; do ((x < pivot)) && low+=("$x") || high+=("$x"); done
    echo $(quicksort "${low[@]}") "$pivot" $(quicksort "${high[@]}")
}
RANDOM=42; quicksort 9 3 7 1 8 2 6 4 5 0
declare -A count
while read -ra words; do for w in "${words[@]}"; do ((count[$w]++)); done; done <<'END'
the cat and the dog and the bird
a bird in the hand
END
for w in "${!count[@]}"; do echo "${count[$w]} $w"; done | sort -k1,1rn -k2 | head -4
text=$(printf '%s' {a..z}); for ((i = ${#text} - 1; i >= 0; i--)); do printf %s "${text:i:1}"; done; echo
find /usr /bin -type l 2>/dev/null | while read -r f; do readlink "$f"; done | sort | uniq -c | awk '{ print ($1 > 50), $2 }' | head -2
seq 1 300 | xargs -n 10 -P 4 bash-static -c 'echo $(($(IFS=+; echo "$*")))' _ | sort -n | tail -1
