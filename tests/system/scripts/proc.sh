# procfs and what busybox makes of it.
cat /proc/self/comm; cat /proc/$$/comm
tr '\0' ' ' </proc/self/cmdline; echo
readlink /proc/self/exe; readlink /proc/self/cwd
ls /proc/self/fd | head -3
grep -c . /proc/meminfo | sed 's/^[0-9][0-9]*$/lines/'; grep MemTotal /proc/meminfo | tr -d '0-9 '
free | head -1; free | awk '/^Mem/ {print ($2 > 0 && $2 >= $3 + $4) ? "sane" : "odd"}'
uptime | sed 's/[0-9][0-9:.]*/N/g;s/  */ /g' | cut -c1-6
cat /proc/uptime | awk '{print NF}'; cat /proc/loadavg | awk '{print NF}'
mount | grep -c ' on / '; grep -c proc /proc/mounts | sed 's/[1-9]/some/'
uname -s -m; hostname | grep -c .
ps -o pid,comm | head -1; ps -o pid,ppid,comm | awk -v p=$$ '$1 == p {print "found", $3}'
id; whoami; groups; tty; test -t 0; echo $?
stat -c '%F %t %T' /dev/null /dev/zero /dev/full /dev/urandom /dev/tty /dev/console
head -c 16 /dev/urandom | wc -c; echo x >/dev/full; echo $?
cat /proc/cpuinfo | grep -c processor
top -b -n 1 2>/dev/null | head -1 | cut -c1-4
