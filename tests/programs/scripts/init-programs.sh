# Programs that start and reap others.
# programs: tini-static catatonit bash-static
tini-static -s -- sh -c 'echo under tini; exit 4'; echo "status $?"
tini-static -s -e 4 -- sh -c 'exit 4'; echo "remapped $?"
catatonit -- sh -c 'echo under catatonit; exit 6'; echo "status $?"
catatonit -- sh -c 'kill -TERM $$'; echo "signal $?"
# An orphan is reaped, and a signal is passed on.
tini-static -s -- sh -c '(sleep 0.1; echo orphan) & exec sleep 0.5'; echo "status $?"
tini-static -s -- sh -c 'trap "echo passed on; exit 3" TERM; echo ready; while :; do sleep 0.05; done' & pid=$!
sleep 0.5; kill -TERM $pid; wait $pid; echo "status $?"
catatonit -- sh -c 'trap "echo hup; exit 5" HUP; while :; do sleep 0.05; done' & pid=$!
sleep 0.5; kill -HUP $pid; wait $pid; echo "status $?"
tini-static -s -g -- bash-static -c 'trap "echo group" USR1; sleep 0.6 & wait; echo "wait $?"' & pid=$!
sleep 0.3; kill -USR1 $pid; wait $pid; echo "status $?"
