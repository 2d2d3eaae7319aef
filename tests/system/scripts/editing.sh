# Programs with larger state: awk, sed, ed-like work, patch, sort on many lines, archives of several kinds.
seq 1 3000 | awk '{a[$1%10]+=$1} END {for (k = 0; k < 10; k++) print k, a[k]}'
seq 1 5000 | awk '{print $1*7919%5003, $1}' | sort -n | head -3
printf 'a\nb\nc\n' >old; printf 'a\nB\nc\nd\n' >new; diff -u old new | tail -n +3; diff -u old new >p; patch old p; cmp old new && echo patched
printf '1\n2\n3\n' | sed '2!d;s/2/two/'; printf 'x\ny\n' | sed -e '1i\' -e 'inserted' -e '$a appended'
seq 1 100 >n; sed -i 's/^5$/five/' n; sed -n 5p n
printf 'H\ni' | ed -s /dev/null 2>/dev/null; echo ed-$?
seq 1 50000 >big; bzip2 -k big; bunzip2 -c big.bz2 | cmp - big && echo bz; xz -dc </dev/null 2>/dev/null; gzip -9 big; gunzip big.gz; wc -c big
find n old new | cpio -o -H newc 2>/dev/null >c; cpio -t <c 2>/dev/null; unzip -v 2>/dev/null | head -0
seq 1 500 | sort -k1,1 | uniq | md5sum; seq 1 9 | shuf | sort | tr -d '\n'; echo
awk 'function f(n) {return n < 2 ? n : f(n-1)+f(n-2)} BEGIN {print f(18)}'
echo 'scale=3; 10/3' | bc 2>/dev/null; cal 2 2024 | tail -n +1 | head -3
