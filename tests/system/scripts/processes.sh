# Processes: background jobs, waiting, signals, statuses, many of them.
sleep 0.2 & p=$!; wait $p; echo $?
sh -c 'exit 3' & wait $!; echo $?
# What the shell says of a killed job depends on how soon it hears of it.
sleep 10 & kill $!; wait $! 2>/dev/null; echo $?
sleep 10 & kill -9 $!; wait $! 2>/dev/null; echo $?
sh -c 'kill -SEGV $$'; echo $?
sh -c 'trap "" TERM; kill -TERM $$; echo survived'
sh -c 'trap "echo caught; exit 9" INT; kill -INT $$; sleep 5'; echo $?
for i in 1 2 3 4 5 6 7 8; do (echo $i >r$i) & done; wait; cat r*
i=0; while [ $i -lt 60 ]; do /bin/true; i=$((i+1)); done; echo $i
timeout 1 sleep 10; echo $?
timeout -s KILL 1 sleep 10; echo $?
ps | grep -c '[s]h '  | sed 's/[1-9].*/some/'
sh -c 'sleep 0.1; echo child of $PPID' | sed "s/$$/me/;s/of [0-9]*$/of other/"
(sleep 0.1; echo subshell) & wait
sh -c 'exec sh -c "exec echo deep"'
nohup echo nohup 2>/dev/null; setsid echo setsid; usleep 1000; echo $?
sh -c 'ulimit -n 32; ulimit -n'; ulimit -s
time -p true 2>&1 | cut -d' ' -f1
yes >/dev/null & y=$!; sleep 0.3; kill -STOP $y; sleep 0.1; cut -d' ' -f3 /proc/$y/stat; kill -CONT $y; kill $y; wait $y 2>/dev/null; echo $?
pidof nothing-like-it; echo $?
killall nothing-like-it 2>&1; echo $?
no-such-command 2>&1; echo $?
./not-there 2>&1; echo $?; : >plain; ./plain 2>&1; echo $?
