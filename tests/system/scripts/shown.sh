# The script that the project's first goal is shown by; the time is checked, not printed.
for i in $(seq 1 200); do echo $i; done | grep 7 | sort -rn | head -3
ls -l /bin | wc -l
cat /proc/self/status | head -1
cat /proc/self/status | sed -n 2,3p | cut -d: -f1
dd if=/dev/zero bs=64k count=64 2>/dev/null | md5sum
before=$(date +%s)
sleep 1
after=$(date +%s)
took=$((after - before)); test $took -ge 1 && test $took -le 3 && echo slept
test "$(date +%Y)" -ge 2025 && echo now
