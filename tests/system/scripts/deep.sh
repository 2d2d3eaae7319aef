# Recursion of shells, and long command lines.
deep() { if [ $1 -gt 0 ]; then sh -c "echo $1 >/dev/null; n=$1; [ \$n -gt 0 ]" && deep $(($1 - 1)); else echo bottom; fi; }
deep 30
sh -c "sh -c 'sh -c \"sh -c exit\\ 4\"'"; echo $?
(((((((((((echo nested)))))))))))
set -- $(seq 1 2000); echo $# $2000 ${2000}
echo $(seq 1 5000) | wc -c
/bin/echo $(seq 1 5000) | md5sum
x=x; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do x=$x$x; done; echo ${#x}; X=$x sh -c 'echo ${#X}'
