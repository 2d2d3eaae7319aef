# Shells with other C libraries: zsh (glibc), mksh with dietlibc, musl and klibc, sash.
# programs: zsh-static mksh-diet mksh-musl mksh-klibc sash
common='i=0; while [ $i -lt 3 ]; do echo $i; i=$((i + 1)); done | sort -r
trap "echo trapped" USR1; kill -USR1 $$
(exit 7); echo "status $?"
sleep 0.2 & wait $!; echo "waited $?"
x=$(echo from-a-command; echo two | cat); echo "$x"
cat <<END
here $((6 * 7))
END
for f in /etc/pass*; do echo "$f"; done
exec 3>out; echo to-three >&3; exec 3>&-; cat out; rm out
sh -c "kill -9 \$\$"; echo "killed $?"
cd /usr && pwd; umask; ulimit -n >/dev/null && echo limits
test -d /proc && test ! -e /nothing && echo tested
echo a b c | { read one rest; echo "$rest"; }
/no/such/program 2>/dev/null; echo "none $?"
set -e; false; echo no'
for shell in mksh-diet mksh-musl mksh-klibc zsh-static; do
    echo "== $shell"
    "$shell" -c "$common"; echo "ends $?"
done
for shell in mksh-diet mksh-musl mksh-klibc; do
    "$shell" -c 'set -A a x y z; echo "${#a[@]} ${a[2]}"; typeset -i n=5; let n+=2; echo $n; print -r -- "${n#7}"
        (print co; read -r l; print "$l") |& read -p l; print -p back; read -p m; print "$l $m"
        time_out() { read -t 0.1 x </dev/zero; }; [[ abc = a* ]] && print match; print ${RANDOM:+random}'
done
zsh-static -fc 'a=(3 1 2); print ${(o)a} ${#a} ${a[1]}; typeset -A m; m=(k v); print ${m[k]}
    mkdir -p d/e; touch d/x.c d/e/y.c; print d/**/*.c(:t); print ${${:-/a/b.c}:t:r}
    cat <(print substituted); print multi >f1 >f2; cat f1 f2
    { sleep 5 & kill $! } 2>/dev/null; wait; print -f "%05d\n" 42; echo =(print tmp) | grep -c /tmp
    autoload -U none; whence -w print; repeat 3 printf x; print; [[ -o extendedglob ]] || print off'
printf 'echo in sash\n-ls -l /etc/hostname\n-touch made\n-chmod 600 made\n-mkdir sub\n-cp made sub/copy\n-ls sub\n-grep root /etc/passwd\n-pwd\nexit\n' | sash 2>&1 | sed 's/^> *//' | cut -c1-10 | head -12
