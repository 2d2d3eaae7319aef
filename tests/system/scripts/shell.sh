# The shell itself: expansion, control flow, functions, traps, here-documents.
greet() { local who=$1; echo "hello $who"; return 3; }
greet world; echo $?
for f in a b c; do case $f in a) echo first;; [bc]) echo later;; esac; done
i=0; while [ $i -lt 5 ]; do i=$((i+1)); [ $i = 3 ] && continue; echo -n "$i "; done; echo
echo "${unset:-default} ${#HOME} $((7*6)) $((0x1f)) $((1<<40))"
path=/a/b/c.tar.gz; echo ${path##*/} ${path%%.*} ${path%.gz} ${path#*/}
set -- one "two words" three; echo $# "$2"; shift; echo "$*"
cat <<EOF
here $((1+1)) document
EOF
trap 'echo leaving' EXIT
trap 'echo usr1' USR1
kill -USR1 $$
(exit 5); echo $?
! true; echo $?
true && false || echo or
x=$(echo a; echo b; exit 4); echo "$x" $?
echo ~root
echo {a,b} *.nothing
read -r first rest <<EOF
one two three
EOF
echo "$rest|$first"
printf '%s-%d-%x-%05.1f\n' text 42 255 3.14159
exit 6
