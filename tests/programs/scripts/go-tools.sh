# Programs of others in Go.
# programs: shfmt gojq cindex csearch lefthook
# memory: 1G
printf 'if true;then echo   hi ;fi\nfor i in 1 2;do\necho $i;done\n' >s.sh
shfmt -i 2 s.sh; shfmt -d s.sh >diff; echo "differs $?"; printf 'if' | shfmt 2>&1; echo "status $?"
shfmt --to-json <s.sh | gojq -r '.Stmts | length'
echo '{"a":[1,2,{"b":"x"}],"n":1.5e3,"u":"\u00e9"}' >j.json
gojq -c '.a[2].b, .n, (.a|length), .u' j.json
gojq -n '[range(1000)] | map(. * 2) | add'; seq 1 2000 | gojq -s 'map(select(. % 7 == 0)) | length'
gojq -r 'to_entries[] | "\(.key)=\(.value)"' j.json; gojq . none.json; echo "status $?"
gojq -n 'reduce range(20000) as $i (0; . + $i)'; gojq -n '"x" * 3, (now > 0), env.HOME'; echo '[3,1,2]' | gojq -c 'sort, (.[1:] | reverse)'
mkdir tree; for d in a b c; do mkdir tree/$d; for i in 1 2 3 4 5 6; do echo "word$i needle-$d$i in $d" >tree/$d/f$i.txt; done; done
CSEARCHINDEX=$PWD/index; export CSEARCHINDEX
cindex "$PWD/tree" >log 2>&1; echo "indexed $?"; csearch -n 'needle-b[2-4]' | sed 's/.*tree/tree/'; csearch -c nothing; cindex -list | sed 's/.*s.go/s.go/'
lefthook version; lefthook dump 2>&1 | head -2 | cut -c1-60; lefthook help | head -3
