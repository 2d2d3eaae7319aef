#!/bin/dash
# Debian's coreutils and their friends, dynamically linked.
seq 100000 | sort -R > numbers
sort -n --parallel=4 -S 200k numbers | cksum
sort -r numbers | head -2
wc -l numbers | cut -d' ' -f1
mkdir -p d/e; cp -a /etc/passwd d/e/; ln d/e/passwd d/hard; ln -s e/passwd d/soft; chmod 640 d/hard
ls -lR --time-style=+ d | sed 's/total.*/total/'
stat -c '%A %h %U:%G %F' d/soft d/hard
cp -a d copy && diff -r d copy && echo same
find d -type f -newer /etc/passwd -o -type l | sort
find /usr -maxdepth 1 -name "*bin" | sort
printf '%s\n' one two three | xargs -P2 -n1 echo | sort
tar --sort=name -cf - d | tar -tvf - | awk '{print $1, $2, $6, $7, $8}' | sort
for z in gzip bzip2 xz; do
    $z -k numbers && ls numbers.* && $z -dc numbers.* | cmp - numbers && echo $z && rm numbers.*
done
xz -T2 -0 -c numbers | xz -dc | cmp - numbers && echo threads
split -l 30000 numbers part. && cat part.?? | cmp - numbers && ls part.*
dd if=/dev/zero of=sparse bs=1 count=1 seek=1M 2>/dev/null; du -k --apparent-size sparse; test $(du -k sparse | cut -f1) -le 8 && echo sparse
truncate -s 3G huge; stat -c %s huge
sed -n '/^root/s/:.*//p' /etc/passwd
awk -F: '$3 < 3 {n += $3} END {print n}' /etc/passwd
grep -rn '^daemon' d | cut -c1-20 | sort
timeout 0.2 sleep 10; echo $?
(sleep 0.2; echo later) & tail -n0 --pid=$! -f numbers; wait
od -An -tx1 -N8 /bin/ls
md5sum /dev/null; sha256sum /dev/null; b2sum -l 64 /dev/null
id -un; date -u -d @1700000000 +%FT%T; expr 6 \* 7; factor 1000000007; nproc
test "$(ps -o comm= -p $$)" = coreutils.sh && echo ps
ps -o rss= -p $$ | awk '{print ($1 > 100 && $1 < 20000)}'
make -s -j2 -f - <<'M'
all: a b c
%: ; @sleep 0.05; echo $@ >> made
M
sort made | tr '\n' ' '; echo
