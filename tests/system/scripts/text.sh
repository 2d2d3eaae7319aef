# Text tools on a text of some size.
seq 1 2000 | awk '{print $1, $1*$1, "line"}' >t
wc t; head -2 t; tail -2 t; sed -n '100,102p' t; grep -c 77 t; grep -n '^999 ' t
cut -d' ' -f2 t | sort -n | tail -1; sort -k2 -n -r t | head -1; uniq -c t | wc -l
tr 'a-z' 'A-Z' <t | head -1; sed 's/\([0-9]*\) \([0-9]*\)/\2 \1/' t | head -1
awk 'BEGIN {for (i = 0; i < 3; i++) printf "%d:%s ", i, substr("abc", i+1, 1); print ""}'
md5sum t; sha1sum t; sha256sum t; sha512sum t | cut -c1-32; crc32 t
od -c t | head -2; hexdump -C t | head -2; xxd t 2>/dev/null | head -1; strings t | head -1
diff t - <<EOF | head -3
1 1 line
EOF
comm -12 t t | wc -l; paste t t | head -1; nl t | head -1; rev t | head -1; tac t | head -1
base64 t | md5sum; base64 t | base64 -d | cmp - t && echo decoded; fold -w 5 t | head -2; expand t | head -1
echo 'a,b;c' | tr ',;' '\n\n'; echo "2^10" | sed 's/\^/ to the /'; expr 6 \* 7; factor 360; dc -e '2 3 + p'
