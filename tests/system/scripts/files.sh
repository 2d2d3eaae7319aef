# Files and directories with busybox's tools.
mkdir -p a/b/c d; echo text >a/file; echo more >>a/file; cat a/file
cp a/file a/b/copy; mv a/b/copy d/moved; cat d/moved
ln -s ../a/file d/link; ln a/file d/hard; readlink d/link; cat d/link
ls -1 d; ls -F; stat -c '%n %F %a %h %s' a/file d/link
chmod 750 a/file; chmod u+s,o-x d/moved; stat -c '%a' a/file d/moved
touch -d '2001-02-03 04:05:06' a/file; stat -c '%Y' a/file; ls -l --full-time a/file 2>/dev/null | cut -c1-10
find . | sort; find . -type l; find . -name 'm*' -exec echo found {} \;
du -a a | sort -k2 | cut -f2
tar cf t.tar a d; tar tf t.tar | sort; mkdir x; tar xf t.tar -C x; diff -r a x/a && echo same
gzip -k t.tar; gunzip -c t.tar.gz | cmp - t.tar && echo unzipped
rm -r a x; ls; rmdir d 2>&1; rm -rf d; ls
dd if=/dev/zero of=sparse bs=1 count=1 seek=1000000 2>/dev/null; stat -c %s sparse
truncate -s 10 sparse; wc -c <sparse
echo abc >f; cat f f f | cut -c2- ; basename /x/y/z .z; dirname /x/y/z; realpath ../s.files/f
mktemp -u | wc -c
[ -e f ] && [ -f f ] && [ ! -d f ] && [ -s f ] && [ ! -L f ] && echo tests
umask; umask 077; touch private; stat -c %a private
ls nothing 2>&1; cat nothing 2>&1; cd nothing 2>&1; echo $?
