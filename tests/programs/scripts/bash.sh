# What bash has beyond a POSIX shell.
# programs: bash-static
# shell: bash-static
echo "$BASH_VERSION ${BASH_VERSINFO[4]}"
# Arrays.
list=(one two "three four" [7]=eight)
echo "${#list[@]} ${!list[@]} ${list[2]} ${list[@]:1:2} ${list[-1]}"
list+=(nine); unset 'list[0]'; printf '<%s>' "${list[@]}"; echo
declare -A map=([red]=1 [green]=2 ["dark blue"]=3)
for key in "${!map[@]}"; do echo "$key=${map[$key]}"; done | sort
declare -n ref=map; ref[new]=4; echo "${map[new]} ${#map[@]}"
mapfile -t lines < <(seq 1 5); echo "${lines[*]}"
mapfile -t -s 1 -n 2 lines < <(seq 1 5); echo "${lines[*]}"
readarray -d : -t parts <<<"a:b:c"; echo "${#parts[@]} ${parts[1]}"
# Process substitution.
diff <(seq 1 3) <(printf '1\n2\n3\n') && echo same
cat <(echo first) <(echo second) | tee >(tr a-z A-Z >upper) >/dev/null; sleep 0.3; cat upper
while read -r line; do last=$line; done < <(echo x; echo y); echo "last $last"
exec 7< <(echo by-descriptor); read -r word <&7; exec 7<&-; echo "$word"
# Here documents and strings.
cat <<-'END'
	no $expansion
	END
cat <<END
sum $((1 + 2)) $(echo command)
END
wc -c <<<"four"
# A coprocess.
coproc worker { while read -r line; do echo "got:$line"; done; }
pid=$worker_PID
echo hello >&"${worker[1]}"; read -r answer <&"${worker[0]}"; echo "$answer"
eval "exec ${worker[1]}>&-"; wait "$pid"; echo "coproc $?"
# Traps.
trap 'echo usr1' USR1; kill -USR1 $$; trap - USR1
(trap 'echo leaving' EXIT; exit 3); echo "status $?"
(trap 'echo "error in line"' ERR; false; true)
(set -E; f() { false; }; trap 'echo err' ERR; f; true)
trap 'echo debug' DEBUG; true; trap - DEBUG
bash-static -c 'trap "echo term; exit 9" TERM; kill -TERM $$; echo no'; echo "status $?"
f() { trap 'echo returned' RETURN; return 4; }; f; echo "f $?"; trap - RETURN
(trap '' PIPE; yes 2>/dev/null | head -1)
(set -o pipefail; false | true; echo "pipefail $? ${PIPESTATUS[*]}")
# Jobs and waiting.
sleep 0.3 & a=$!; (exit 5) & b=$!
wait -n -p which "$a" "$b"; echo "first $? $([ "$which" = "$b" ] && echo b)"
wait "$a"; echo "second $?"
for i in 3 1 2; do (sleep $i; exit $i) & done
for i in 1 2 3; do wait -n; echo "n $?"; done
wait -n; echo "none $?"
set -m; sleep 5 & kill -STOP %1; sleep 0.2; jobs | sed 's/  */ /g'; kill -CONT %1; kill %1; wait %1; echo "killed $?"; set +m
sleep 100 & disown; kill $!
# Time.
printf '%(%Y-%m-%d %H:%M:%S)T\n' 86399; TZ=EST5EDT printf '%(%H:%M %Z)T\n' 0
[[ $(printf '%(%s)T' -1) == "$(date +%s)" || $EPOCHSECONDS -gt 0 ]] && echo now
TIMEFORMAT='%0R'; time sleep 0.1
read -t 0.1 x < <(sleep 1); echo "timeout $(($? > 128))"
read -t 5 -n 3 x <<<"abcdef"; echo "$x"
read -d '' -r x < <(printf 'zero\0rest'); echo "$x"
IFS=, read -ra fields <<<"a,b,,d"; echo "${#fields[@]} ${fields[3]}"
# Expansion.
v=Hello.World.txt; echo "${v%.*} ${v##*.} ${v/o/0} ${v//o/0} ${v^^} ${v,,} ${v:3:4} ${v: -3} ${#v} ${v@Q}"
echo {a..e} {01..10..3} x{1,2}y{3,4}
shopt -s extglob nullglob globstar
mkdir -p g/h; touch g/a.c g/b.h g/h/c.c; echo g/!(*.h) g/**/*.c none*
[[ abc123 =~ ^([a-z]+)([0-9]+)$ ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
echo $((0x1f + 2#101 + 017)) $((7 ** 2 % 10)) $((1 << 40)); ((3 > 2)) && echo arithmetic
set -- a b c; echo "$# ${*: -1} ${@:2}"; shift 2; echo "$1"
select choice in yes no; do echo "chose $choice"; break; done <<<2
getopts_test() { local OPTIND o; while getopts 'ab:' o; do echo "$o ${OPTARG-}"; done; }; getopts_test -a -b val
case word in w?r*) echo matched ;;& *d) echo also ;; esac
for ((i = 0, j = 9; i < j; i += 3, j--)); do printf '%d-%d ' $i $j; done; echo
# Functions, limits, the rest.
fact() { local n=$1; ((n < 2)) && echo 1 || echo $((n * $(fact $((n - 1))))); }; fact 10
(ulimit -n 20; ulimit -n; ulimit -S -n 10; ulimit -Hn)
{ (ulimit -f 1; head -c 100000 /dev/zero >big); echo "fsize $(($? > 0))"; } 2>/dev/null
declare -r constant=1; (constant=2) 2>/dev/null; echo "readonly $?"
export -f fact; bash-static -c 'fact 5'
bash-static -c 'set -u; echo $unset' 2>/dev/null; echo "nounset $?"
bash-static -ec 'false; echo no'; echo "errexit $?"
caller_test() { caller 0 | cut -d' ' -f2; }; caller_test
exec {fd}>dynamic; echo "to a descriptor" >&"$fd"; exec {fd}>&-; cat dynamic
echo "$BASHPID" >outer; (echo "$BASHPID" >inner); cmp -s outer inner || echo "other process"
yes | head -n 20000 | while read -r x; do ((n++)); [ "$n" = 20000 ] && echo "read $n"; done
for i in {1..60}; do /bin/true & done; wait; echo "sixty"
bash-static --norc -c 'exec -a renamed bash-static -c "echo \$0"'
printf '%s\n' "${BASH_SOURCE[0]##*/}" "$LINENO" "$-"
