# Redirections and descriptors.
exec 3>out; echo three >&3; exec 3>&-; cat out
{ echo to-out; echo to-err >&2; } >o 2>e; cat o; cat e
{ echo to-out; echo to-err >&2; } >both 2>&1; cat both
exec 4<out; read line <&4; echo "$line"; exec 4<&-
echo appended >>out; wc -l <out
echo x >&9 2>/dev/null; echo $?
(echo noclobber; set -C; echo again >out) 2>&1 | sed 's/^.*: //'
exec 5<>rw; echo written >&5; exec 5>&-; cat rw
cat <out >copy; cmp out copy && echo same
: >empty; wc -c <empty
cat <<'A' <<B
first
A
second $((1+1))
B
ls /proc/self/fd | wc -l
sh -c 'echo $0 $1' zero one >q; cat q
echo closed >&- 2>/dev/null; echo $?
