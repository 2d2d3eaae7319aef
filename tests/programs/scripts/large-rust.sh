# Larger programs of others in Rust and in Haskell.
# programs: uv rumdl biome hadolint
# memory: 2G
# limit: 240
# large: yes
uv --version | cut -d' ' -f1,2; uv --offline pip list 2>&1 | head -1; printf '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.8"\n' >pyproject.toml; uv --offline version 2>&1; uv cache dir; uv --offline tree 2>&1 | tail -1
printf '#  Title\n\n* a\n+ b\n' >x.md; rumdl check --no-cache x.md | sed 's/([0-9.]*m\?s)//'; rumdl fmt --no-cache x.md >/dev/null; cat x.md
printf 'let   x = {a:1}\nif (x == null) { debugger }\n' >x.js; biome format x.js 2>&1 | grep -c x; biome format --write x.js 2>&1 | sed 's/ in .*//'; cat x.js; biome lint x.js 2>&1 | grep -o 'lint/[a-zA-Z/]*' | sort
hadolint --version; printf 'FROM debian\nRUN cd /tmp && apt-get install x\nUSER root\n' >Dockerfile; hadolint --no-color Dockerfile; echo "status $?"; hadolint -f json Dockerfile | head -c 80; echo
