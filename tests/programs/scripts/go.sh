# Our own Go program: goroutines, timers, files, subprocesses, signals, sockets, faults.
# programs: gotests
# memory: 1G
# limit: 240
gotests
