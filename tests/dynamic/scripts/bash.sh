#!/bin/bash
# Debian's dynamically linked bash.
declare -A map=([one]=1 [two]=2); for k in "${!map[@]}"; do echo "$k=${map[$k]}"; done | sort
list=(a b c "d e"); echo "${#list[@]} ${list[-1]} ${list[@]:1:2}"
diff <(printf '1\n2\n3\n') <(printf '1\n3\n') ; echo "status $?"
trap 'echo got USR1' USR1; kill -USR1 $$; trap - USR1
set -m; sleep 60 & jobs %sleep; kill %sleep; wait %sleep; echo "wait $?"; set +m
coproc cat; echo through >&"${COPROC[1]}"; exec {COPROC[1]}>&-; read -r line <&"${COPROC[0]}"; echo "$line"; wait
exec 3<>fifo_file; echo data >&3; exec 3>&-; cat fifo_file
mkfifo pipe; (echo in the pipe > pipe) & cat pipe; wait
[[ abc123 =~ ([a-z]+)([0-9]+) ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
printf '%(%Y)T\n' 0; ulimit -n 50; ulimit -n
shopt -s globstar; mkdir -p g/h/i; touch g/h/i/x; echo g/**/x
(exec -a other bash -c 'echo $0'); read -t 0.1 x < <(sleep 1); echo "read $(( $? > 128 ))"
mapfile -t lines < <(seq 3); echo "${lines[*]}"; echo $((2**40)) "${BASH_VERSINFO[0]}"
