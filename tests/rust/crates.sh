#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# crates.sh old|new CACHE [CRATE...]: builds crates of the Rust registry that use networks and databases, with their
# own tests and examples, and our programs in crates/, with the tool chain that build.sh has made in CACHE. They end as
# CACHE/crates-old/CRATE/{lib,test,example,bin}/NAME.wasm (or crates-new).
set -euo pipefail
compiler=$1
cache=$(cd "$2" && pwd)
shift 2
here=$(cd "$(dirname "$0")" && pwd)
work=$cache/crates-src/$compiler
cargo=$cache/cargo-$compiler
target=wasm32-wasi
[ "$compiler" = new ] && target=wasm32-wasip1
export CARGO_INCREMENTAL=0

# One at a time: several builds of the project may share the cache.
exec 9> "$cache/lock"
flock 9
wanted=("$@")
[ $# -gt 0 ] || wanted=(lunatic-log submillisecond lunatic-redis lunatic-mysql nightfly diesel hello)

# lock: a lock file for the package in this folder.
lock() {
    local pin
    "$cargo" generate-lockfile --quiet
    # The next one cannot read the end of a result any more (lunatic-mysql says ^0.29.1).
    local pins=(mysql_common=0.29.1)
    # The last versions that the old compiler takes, of packages that do not say which one they want.
    [ "$compiler" = new ] ||
        pins+=(serde=1.0.228 serde_core=1.0.228 serde_derive=1.0.228 data-encoding=2.5.0 const_fn=0.4.9 uuid=1.3.4 pin-project-lite=0.2.13)
    for pin in "${pins[@]}"; do
        ! grep -q "^name = \"${pin%=*}\"\$" Cargo.lock || "$cargo" update --quiet "${pin%=*}" --precise "${pin#*=}"
    done
}

# The sources lie where cargo keeps what it has fetched.
mkdir -p "$work"
rm -rf "$work/own"
cp -r "$here/crates" "$work/own"
stamp=$(cat "$here/crates.sh" "$here"/crates/Cargo.toml "$here"/crates/*/Cargo.toml | cksum)
if [ "$(cat "$work/stamp" 2> /dev/null)" != "$stamp" ]; then
    rm -rf "$work"/[a-z]*.d "$work/own.lock"
    (
        cd "$work/own"
        lock
        cp Cargo.lock "$work/own.lock"
        "$cargo" metadata --format-version 1 --filter-platform $target 2> "$work/fetch.log" | tr ',' '\n' |
            sed -n 's|^"manifest_path":"\([^"]*\)/Cargo.toml".*|\1|p' > "$work/folders"
    ) || { cat "$work/fetch.log"; exit 1; }
    echo "$stamp" > "$work/stamp"
fi
cp "$work/own.lock" "$work/own/Cargo.lock"

# prepare CRATE: as it was published, in a folder of its own, but for what is said here.
prepare() {
    local source to=$work/$1.d
    [ ! -e "$to/prepared" ] || return 0
    source=$(grep -E "/$1-[0-9.]+\$" "$work/folders" | head -n 1)
    rm -rf "$to"
    cp -r "$source" "$to"
    chmod -R u+w "$to"
    case $1 in
    lunatic-redis)
        # Needed by tests only that its authors have commented out.
        awk '/^\[/ { drop = /^\[dev-dependencies\.(criterion|quickcheck|tempfile|rand)\]/ } !drop' \
            "$to/Cargo.toml" > "$to/new.toml"
        mv "$to/new.toml" "$to/Cargo.toml"
        rm -r "$to/tests/support" "$to/benches"
        # Examples that name the crate as one does that was not published with them.
        sed -i '/^extern crate lunatic_db;/d; s/^use lunatic_db::redis::{self,/use lunatic_redis::{self as redis,/' "$to"/examples/*.rs
        ;;
    esac
    (
        cd "$to"
        rm -f Cargo.lock
        lock
    )
    touch "$to/prepared"
}

# build CRATE FOLDER OPTION...: and gathers its programs.
build() {
    local name=$1 folder=$2 to=$cache/crates-$compiler/$1 kind program file
    shift 2
    (
        cd "$folder"
        # Lints are the business of the crates' authors; a user of a crate does not see them either.
        RUSTFLAGS="--cap-lints warn" "$cargo" build --quiet --release -j2 "$@" --target-dir "$cache/target-$compiler-crates" \
            --message-format json-render-diagnostics 2> "$work/$name.log"
    ) > "$work/artifacts" || { tail -n 60 "$work/$name.log"; return 1; }
    rm -rf "$to"
    sed -nE 's/.*"target":\{"kind":\["([a-z]+)"[^]]*\],.*"name":"([^"]+)","src_path".*"executable":"([^"]+)".*/\1 \2 \3/p' \
        "$work/artifacts" > "$work/executables"
    while read -r kind program file; do
        mkdir -p "$to/$kind"
        cp "$file" "$to/$kind/$program.wasm"
    done < "$work/executables"
    echo "$compiler $name: $(find "$to" -name '*.wasm' | wc -l) programs"
}

for crate in "${wanted[@]}"; do
    case $crate in
    hello) build hello "$work/own" --package hello ;;
    diesel) build diesel "$work/own" --package diesel-program ;;
    *)
        prepare "$crate"
        case $crate in
        lunatic-mysql) build "$crate" "$work/$crate.d" --examples ;; # its tests were not published
        lunatic-log) build "$crate" "$work/$crate.d" --examples ;;
        submillisecond)
            build "$crate" "$work/$crate.d" --tests --examples --features cookies,json,query,websocket,template
            ;;
        *) build "$crate" "$work/$crate.d" --tests --examples ;;
        esac
        ;;
    esac
done
