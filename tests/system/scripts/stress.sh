# Many short processes and much data, as a build does it.
i=0; while [ $i -lt 150 ]; do echo $i | sed 's/^/n/' >>log; i=$((i+1)); done; wc -l <log; md5sum <log
for d in 1 2 3 4 5; do mkdir -p t/$d; for f in 1 2 3 4 5 6 7 8; do seq 1 $((d*f*10)) >t/$d/$f; done; done
find t -type f | sort | xargs md5sum | md5sum; tar c t | md5sum >/dev/null; find t -type f | xargs cat | wc -l
cp -r t u; diff -r t u && echo equal; rm -r t u; ls
dd if=/dev/urandom of=r bs=4096 count=256 2>/dev/null; cp r s; cmp r s && echo copied; cat r s | wc -c; rm r s
(for i in 1 2 3 4 5 6; do (seq 1 3000 | sort -r | md5sum) & done; wait) | sort -u
