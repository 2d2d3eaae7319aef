# What is refused, and how.
cat / 2>&1; mkdir /proc/x 2>&1; rm /proc/self/status 2>&1; echo x 2>&1 >/proc/version
ln -s loop loop; cat loop 2>&1
mkdir d; rmdir d/.. 2>&1; mv d d/x 2>&1; cp d e 2>&1; ls e 2>&1
ln d hard 2>&1; touch f/g 2>&1; touch f; cat f/g 2>&1; cd f 2>&1
kill -0 99999 2>&1; kill -99 $$ 2>&1; chown nobody-here f 2>&1
dd if=nothing 2>&1; sh nothing 2>&1; sh -c 'exit 300'; echo $?
mount -t nosuchfs none d 2>&1; umount d 2>&1
printf '#!/no/such\n' >s; chmod +x s; ./s 2>&1; echo $?
printf '\177ELF' >bad; chmod +x bad; ./bad 2>&1 | head -1 | cut -c1-20
chroot d /bin/sh 2>&1; su nobody-here 2>&1
