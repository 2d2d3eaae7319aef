# Tools as Debian links them statically: gpgv, e2fsck, ldconfig.
# programs: gpgv-static e2fsck.static ldconfig
gpgv-static --version | head -2
echo data >file; echo none >sig; gpgv-static --keyring /dev/null sig file 2>&1 | head -3; echo "status $?"
mkdir tree; cp /etc/passwd tree
dd if=/dev/zero of=disk bs=1024 count=2048 2>/dev/null
mkfs.ext2 -F disk >/dev/null 2>&1 || mke2fs -F disk >/dev/null 2>&1
e2fsck.static -f -n disk 2>&1 | sed 's/^e2fsck .*//' | grep -v '^$' | head -8
dd if=/dev/zero of=disk bs=1024 seek=5 count=3 conv=notrunc 2>/dev/null
e2fsck.static -f -y disk >out 2>&1; echo "repaired $?"
e2fsck.static -f -n disk >out 2>&1; echo "status $?"
mkdir -p root/etc root/lib; echo /lib >root/etc/ld.so.conf
ldconfig -r root -v 2>&1 | sed 's/ (.*//' | head -4; ls root/etc
ldconfig -r root -p | head -1
