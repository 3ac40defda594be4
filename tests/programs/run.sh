#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# run.sh NAME LUNATIC WASM [OPTION...]: runs what build.sh made, in a directory of its own, and looks that
# its output, its exit status and the files it leaves are right.
set -uo pipefail
name=$1 lunatic=$2 wasm=$3
here=$(cd "$(dirname "$0")" && pwd)
shift 3
if [ ! -e "$wasm" ]; then
    echo "skipped: $wasm was not built (its own test says why)"
    exit 77
fi
options=(--env COLOUR=green "$@")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
wrong=0

# run STATUS ARGUMENT...: its standard input is ours.
run() {
    local expected=$1 status
    shift
    timeout 250 "$lunatic" run "${options[@]}" "$wasm" -- "$@" > out 2> errors
    status=$?
    if [ $status -ne "$expected" ]; then
        echo "$name $*: exit status $status, expected $expected"
        head -c 4000 errors
        wrong=1
    fi
}

# Standard input says what the output must be.
gives() {
    if ! diff -u - out; then
        echo "$name: that is not the output"
        head -c 4000 errors
        wrong=1
    fi
}

must() {
    if ! "$@"; then
        echo "$name: failed: $*"
        wrong=1
    fi
}

case $name in
lua)
    cp "$here/program.lua" .
    run 5 program.lua one <<< "a line"
    gives << 'E'
1	2	1
true	plain
false	program.lua:11: attempt to index a nil value (local 'none')
false	handled program.lua:12: deep
false	outer after inner
false	stack overflow
20000
30
true	1
false	in a coroutine
dead
true
value=key; thing=other	2
 3.14|ab   |00042|ff	3	9.007199254741e+15	1099511627776
1000	line 1000	8893
nil	none/x: No such file or directory	44
true	true	true
green	one	1000000000
input:	a line
E
    run 1 -e 'error("at the end")' < /dev/null
    must grep -q 'at the end' errors
    ;;
sqlite)
    run 0 -vfs unix-none data.db < "$here/program.sql"
    gives << 'E'
ok
19999|200009983|1000.0|item 17
E
    # Another process of ours reads what is in the file, and what the backup has; and so does the
    # SQLite of this machine, if Python has it.
    for file in data.db copy.db; do
        run 0 -vfs unix-none -csv "$file" "SELECT name, json_extract(tags, '\$[1]') FROM item WHERE price > 99.8 ORDER BY id LIMIT 3" < /dev/null
        gives << 'E'
"item 3",6
"item 321",642
"item 1321",2642
E
    done
    if python3 -c 'import sqlite3' 2> errors; then
        python3 -c 'import sqlite3
d = sqlite3.connect("data.db")
print(d.execute("PRAGMA integrity_check").fetchone()[0], *d.execute("SELECT count(*), sum(id) FROM item").fetchone())' > out
        gives <<< "ok 19999 200009983"
    fi
    run 17 -vfs unix-none data.db "SELECT nonsense" < /dev/null
    must grep -q 'no such column: nonsense' errors
    run 1 -vfs unix-none /etc/data.db "CREATE TABLE t(x)" < /dev/null
    must grep -q 'unable to open database file' errors
    ;;
minigzip)
    { seq 1 200000 && head -c 300000 /dev/urandom; } > data
    cp data original
    run 0 data < /dev/null # makes data.gz, removes data
    must [ ! -e data ]
    must gzip -t data.gz
    gzip -dc data.gz | must cmp - original
    run 0 -d data.gz < /dev/null
    must cmp data original
    for level in -1 -9; do # as a filter; the system's gzip reads it, and the other way round
        run 0 $level < original
        gzip -dc < out | must cmp - original
    done
    gzip -c original > theirs
    run 0 -d < theirs
    must cmp out original
    head -c 1000 theirs > short
    run 1 -d < short
    ;;
assemblyscript)
    run 9 one two <<< "a line"
    gives << 'E'
the,and,brown,cat 3
12.25 1.5625 4.0
100000
ünïcödé 2
one|two green
true
true
input: a line
E
    ;;
go)
    # Go makes paths absolute by PWD, so the directory must be there by its full name.
    options+=(--dir "$work" --env "PWD=$work")
    run 7 one two <<< "a line"
    gives << 'E'
[one two] green
4 3 2 1 0 true
500500
1048576 true
one;two;three;
[tree tree/a tree/a/b tree/a/b/text tree/a/large]
1048576 true
true
true
runtime error: index out of range [3] with length 0
input: a line
E
    must [ ! -e tree ]
    ;;
*)
    echo "run.sh: no program $name" >&2
    exit 2
    ;;
esac
exit $wrong
