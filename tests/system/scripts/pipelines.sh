# Pipelines: long ones, ones that end early, big data, statuses.
seq 1 100000 | tail -1
yes | head -3
seq 1 1000 | sed 's/$/ x/' | awk '{s+=$1} END {print s, NR}'
head -c 3000000 /dev/zero | tr '\0' 'a' | wc -c
seq 1 20000 | awk '{print $1*7919%20011, $1}' | sort -n | md5sum
echo one | cat | cat | cat | cat | cat | cat | cat | cat
(echo a; sleep 0.1; echo b) | while read l; do echo "[$l]"; done
false | true; echo $?
true | false; echo $?
seq 10 | (read a; read b; echo $a $b; cat | wc -l)
mkfifo p; (cat p | rev &) ; echo "through a fifo" >p; sleep 0.2
seq 1 5 | tee copy | wc -l; cat copy | tr '\n' ' '; echo
seq 1 30 | xargs -n 10 echo
