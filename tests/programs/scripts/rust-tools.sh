# Programs of others in Rust, linked with musl.
# programs: rg just ruff
# memory: 1G
# limit: 120
rg --version | head -1
for d in a b c d e f g h; do mkdir -p src/$d; for i in 1 2 3 4 5 6 7 8 9; do
    printf 'first line\nneedle-%s%s here\nünïcode %s\nlast line\n' $d $i $d >src/$d/file$i.txt; done; done
printf 'ignored/\n*.log\n' >.gitignore; mkdir ignored; echo needle-x >ignored/x; echo needle-y >y.log
rg -n 'needle-[ab][1-3]' src | sort; rg -c needle src --threads 4 | wc -l; rg --files . | wc -l; rg --files --no-ignore . | wc -l
rg -i 'ÜNÏCODE d' src | wc -l; rg -U 'here\nünï' src | wc -l; rg -l 'line$' src --sort path | head -3; rg nothing src; echo "status $?"
rg -o 'needle-(\w)(\d)' -r '$2$1' src/a --sort path -I | head -3; head -c 3000000 /dev/zero | tr '\0' 'x' >big; echo needle >>big
rg -c needle big; rg --json needle-a1 src/a | grep -c '"type":"match"'; seq 1 100000 | rg -c '9{3}'; rg --mmap -c x big; cat src/a/file1.txt | rg -v line
printf 'default: build\n\nbuild:\n    @echo building\n    @echo $((1 + 2))\n\ntest arg="x": build\n    echo {{arg}} {{uppercase(arg)}}\n\nscript:\n    #!/bin/sh\n    echo "in a script"\n    exit 3\n\n[parallel]\nboth: one two\none:\n    @sleep 0.1\ntwo:\n    @sleep 0.1\n\nenv:\n    @echo $HOME {{env_var("HOME")}} {{os()}} {{arch()}}\n' >justfile
just; just test hello; just script; echo "status $?"; just both; just env; just --list; just none; echo "status $?"; just --evaluate; just --dry-run build
printf 'import os, sys\nx = 1\ndef f( a ):\n  return   a+x\nl = lambda: 0\n' >p.py; mkdir pkg; for i in 1 2 3 4 5 6 7 8 9; do printf "import json\n\ndef f$i():\n    return undefined$i\n" >pkg/m$i.py; done
ruff --version; ruff check --no-cache --output-format concise p.py; echo "status $?"
ruff check --no-cache --output-format concise pkg | sort; ruff format p.py; cat p.py; ruff check --fix -q --no-cache --output-format concise pkg >/dev/null; echo "status $?"; cat pkg/m1.py
ruff check --select F --statistics pkg; ls -d .ruff_cache; ruff format --diff pkg; echo "status $?"
