# Larger programs of others in Go.
# programs: caddy task litestream esbuild
# memory: 2G
# limit: 240
# large: yes
task --version; printf "version: '3'\nvars:\n  NAME: world\ntasks:\n  default:\n    cmds:\n      - echo hello {{.NAME}}\n      - cmd: exit 3\n        ignore_error: true\n  deps:\n    deps: [one]\n    sources: ['*.yml']\n    cmds:\n      - echo done\n  one: {cmds: ['echo one'], silent: true}\n" >Taskfile.yml
task 2>&1; task deps 2>&1; task --list-all; task none; echo "status $?"
litestream version; litestream databases -config none.yml 2>&1 | tail -1
caddy version | cut -d' ' -f1; printf ':2015\nrespond "hi"\n' >Caddyfile; caddy fmt Caddyfile; caddy adapt --config Caddyfile 2>/dev/null; echo
caddy list-modules | grep -c http; caddy hash-password --plaintext secret | cut -c1-4; caddy validate --config Caddyfile 2>&1 | tail -1
printf 'import {add} from "./b"\nlet x: number = add(1, 2)\nconsole.log(`${x}`, <div a="b"/>)\n' >a.tsx; printf 'export const add = (a: number, b: number) => a + b\nexport const unused = 1\n' >b.ts
esbuild a.tsx --bundle --minify --jsx-factory=h --outfile=o.js --log-level=warning; cat o.js; esbuild a.tsx --bundle --sourcemap --outdir=out --log-level=error; ls out
printf 'let let = ' | esbuild --loader=ts 2>&1 | head -2; echo 'a{color:#ff0000;b{c:d}}' | esbuild --loader=css --minify
