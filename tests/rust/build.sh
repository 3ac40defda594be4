#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# build.sh old|new CACHE: makes the Rust tool chain in CACHE unless it is there, then builds the guest
# programs with it. The .wasm files end in CACHE/guests-old/ or CACHE/guests-new/.
set -euo pipefail
compiler=$1
mkdir -p "$2"
cache=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

stamp=$(cksum < "$here/toolchain.sh")
if [ ! -x "$cache/cargo-$compiler" ] || [ "$(cat "$cache/$compiler.done" 2> /dev/null)" != "$stamp" ]; then
    echo "making the Rust tool chain '$compiler' (once; it is kept in $cache)"
    bash "$here/toolchain.sh" "$compiler" "$cache"
    echo "$stamp" > "$cache/$compiler.done"
fi

# A copy, so that no lock file appears among the sources.
work=$cache/work-$compiler
mkdir -p "$work"
cp -rp "$here/guests/." "$work/"
cd "$work"
if [ "$compiler" = old ]; then
    if [ ! -e Cargo.lock ] || [ Cargo.toml -nt Cargo.lock ]; then
        "$cache/cargo-old" generate-lockfile --quiet
        for package in serde serde_core serde_derive; do
            "$cache/cargo-old" update --quiet "$package" --precise 1.0.228
        done
    fi
    target=wasm32-wasi
else
    target=wasm32-wasip1
fi
"$cache/cargo-$compiler" build --quiet --release --workspace --target-dir "$cache/target-$compiler"
rm -rf "$cache/guests-$compiler"
mkdir -p "$cache/guests-$compiler"
cp "$cache/target-$compiler/$target"/release/*.wasm "$cache/guests-$compiler/"
