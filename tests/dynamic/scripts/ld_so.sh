#!/bin/dash
# The dynamic linker: what it maps, where it looks, what is read-only after relocation.
ldso=/lib/ld-linux-aarch64.so.1
$ldso --list /bin/dash | sed -n 's/^[[:space:]]*\([^ ]*\) .*(0x.*/\1/p' | grep -v vdso | sort
$ldso --verify /bin/ls; echo "verify $?"
$ldso /bin/echo started by the linker itself
LD_PRELOAD=libm.so.6:libz.so.1 grep -o 'lib[mz]\.so\.[0-9]' /proc/self/maps | sort -u
LD_PRELOAD=libnothing.so /bin/true; echo "status $?"
mkdir own && cp -L /lib/aarch64-linux-gnu/libtinfo.so.6 own/
LD_LIBRARY_PATH=$PWD/own bash -c 'grep -o "/.*tinfo.*" /proc/$$/maps; :' | sort -u | sed "s|$PWD|PWD|"
LD_BIND_NOW=1 sort /dev/null && echo bound
mkdir empty && printf 'not a library' > empty/libselinux.so.1
LD_LIBRARY_PATH=$PWD/empty ls 2>&1 | sed 's/^[^:]*: //; s|/[^:]*/empty|empty|'
# Code is not writable, and the relocated part of each library is read-only.
awk '$2 ~ /w.*x/ {print "writable code", $0} /libc\.so/ {print $2}' /proc/self/maps
cp /bin/true own/program && chmod 644 own/program && ./own/program; echo "status $?"
$ldso ./own/program; echo "status $?"
printf '\177ELF' > own/program; chmod 755 own/program; ./own/program; echo "status $?"
# A program that names an interpreter which is not there.
sed 's|/lib/ld-linux-aarch64.so.1|/lib/ld-linux-aarch64.so.9|' /bin/true > own/lost; chmod 755 own/lost; ./own/lost; echo "status $?"
