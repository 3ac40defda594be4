#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# build.sh NAME LUNATIC SOURCES OUT: makes the program NAME (lua, sqlite, minigzip, assemblyscript, go)
# as OUT, from what sources.sh got into SOURCES; C by `lunatic cc`.
set -euo pipefail
name=$1 lunatic=$2 debian=$3/debian npm=$3/npm out=$4
here=$(cd "$(dirname "$0")" && pwd)
rm -f "$out"
if [ ! -d "$debian" ] || [ ! -d "$npm" ]; then
    echo "skipped: no sources (the test programs_sources says why)"
    exit 77
fi

case $name in
lua)
    files=()
    for file in "$debian"/lua5.4/src/*.c; do
        [ "${file##*/}" = luac.c ] || files+=("$file")
    done
    "$lunatic" cc -O2 -w -include "$here/lua_wasi.h" -I "$here/include" -DL_tmpnam=20 \
        -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS "${files[@]}" "$here/lua_wasi.c" \
        -lwasi-emulated-signal -lwasi-emulated-process-clocks -o "$out"
    ;;
sqlite)
    # No other program shares the database, so neither locks nor shared memory are wanted.
    "$lunatic" cc -O1 -w -include "$here/sqlite_wasi.h" -I "$here/include" -I "$debian/sqlite3-one" \
        -D_WASI_EMULATED_MMAN -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_GETPID \
        -D_WASI_EMULATED_PROCESS_CLOCKS -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION \
        -DSQLITE_OMIT_WAL -DSQLITE_MAX_MMAP_SIZE=0 "$debian"/sqlite3-one/{sqlite3,shell}.c \
        -lwasi-emulated-mman -lwasi-emulated-signal -lwasi-emulated-getpid \
        -lwasi-emulated-process-clocks -o "$out"
    ;;
minigzip)
    "$lunatic" cc -O2 -w -DHAVE_UNISTD_H -I "$debian/zlib" "$debian"/zlib/*.c \
        "$debian/zlib/test/minigzip.c" -o "$out"
    ;;
assemblyscript)
    cp "$here/assemblyscript.ts" "$npm/index.ts"
    cd "$npm"
    node node_modules/assemblyscript/bin/asc.js index.ts --config \
        node_modules/@assemblyscript/wasi-shim/asconfig.json --exportStart _start -O --outFile "$out"
    ;;
go)
    if ! command -v go > /dev/null; then
        echo "skipped: no go"
        [ -z "${LUNATIC_REQUIRE_GO:-}" ] || exit 1
        exit 77
    fi
    mkdir -p "$3/go"
    GOCACHE=$(cd "$3/go" && pwd) GOTOOLCHAIN=local GOOS=wasip1 GOARCH=wasm go build -p 2 -o "$out" "$here/program.go"
    ;;
*)
    echo "build.sh: no program $name" >&2
    exit 2
    ;;
esac
