#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# sources.sh DIR: gets what the programs are made of into DIR, once: the sources of lua5.4, sqlite3 and
# zlib, as Debian has them (apt checks their hashes), and npm's assemblyscript with its WASI functions.
# What the system's apt knows is not changed: the lists of sources are kept in DIR. Status 77 and why
# where a tool or the network is missing, 1 if LUNATIC_REQUIRE_PROGRAMS is set.
set -euo pipefail

skip() {
    echo "skipped: $1"
    [ -z "${LUNATIC_REQUIRE_PROGRAMS:-}" ] || exit 1
    exit 77
}

for tool in apt-get tar npm tclsh make gcc; do
    command -v "$tool" > /dev/null || skip "the sources of the programs need $tool"
done
mkdir -p "$1"
cd "$1"
exec 9> lock
flock 9 # another build folder may want the same
if [ ! -d debian ]; then
    rm -rf debian.new apt
    mkdir -p debian.new apt/parts apt/lists/partial apt/cache/archives/partial
    # In the system's order: the first may leave out what a later one says of the same archive.
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -e "$file" ] || sed -n 's/^deb /deb-src /p' "$file" > "apt/parts/${file##*/}"
    done
    [ ! -e apt/parts/sources.list ] || mv apt/parts/sources.list apt/parts/00.list
    for file in /etc/apt/sources.list.d/*.sources; do
        [ ! -e "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" > "apt/parts/${file##*/}"
    done
    options=(-qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$PWD/apt/parts"
        -o "Dir::State::Lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt/cache")
    apt-get "${options[@]}" update || skip "Debian's archive of sources does not answer"
    cd debian.new
    apt-get "${options[@]}" source --download-only lua5.4 sqlite3 zlib ||
        skip "Debian's archive of sources does not give lua5.4, sqlite3 and zlib"
    for archive in lua5.4_*.orig.tar.* sqlite3_*.orig.tar.* zlib_*.orig.tar.*; do
        mkdir "${archive%%_*}"
        tar -xf "$archive" -C "${archive%%_*}" --strip-components=1
        rm "$archive"
    done
    # SQLite as one file, and its shell, are made by its own scripts.
    mkdir sqlite3-one
    cd sqlite3-one
    ../sqlite3/configure --disable-tcl --disable-readline > log 2>&1
    make -s sqlite3.c shell.c TCLSH_CMD=tclsh >> log 2>&1
    cd ../..
    mv debian.new debian
fi
if [ ! -d npm ]; then
    rm -rf npm.new
    mkdir npm.new
    cd npm.new
    echo '{"private": true}' > package.json
    npm install --silent --no-audit --no-fund --save-exact assemblyscript@0.28.2 @assemblyscript/wasi-shim@0.1.0 ||
        skip "the registry of npm does not give assemblyscript"
    cd ..
    mv npm.new npm
fi
