#!/bin/dash
# Git, where it is installed.
export HOME=$PWD GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git config --global user.name Name; git config --global user.email name@example.org; git config --global init.defaultBranch main
git init -q work && cd work
seq 100 > a; mkdir d; echo x > d/b; git add .; git commit -qm first; git rev-parse HEAD
git checkout -q -b other; seq 50 > a; git commit -qam second; git checkout -q main; echo more >> d/b; git commit -qam third
git merge -q -m merged other; git log --oneline --graph; git diff --stat HEAD~1; git status --short
for n in 1 2 3 4 5 6 7 8; do seq $n 1000 > f$n; git add f$n; git commit -qm "commit $n"; done
git gc -q 2>&1; git fsck 2>&1; git count-objects -v | grep in-pack
cd ..; git clone -q work copy 2>&1; cd copy; git log -1 --format=%s; git blame d/b | wc -l; git stash list; git grep -n '^99$' | head -3
