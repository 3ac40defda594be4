#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# packages.sh old|new CACHE: builds the tests, examples and benches that come with the packages `lunatic`
# and `lunatic-twitchax-patch`, debug and release, with the tool chain that build.sh has made in CACHE.
# They end as CACHE/packages-old/PACKAGE-PROFILE/{lib,test,example,bench}/NAME.wasm (or packages-new).
set -euo pipefail
compiler=$1
cache=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$cache/packages-src
target=wasm32-wasi
[ "$compiler" = new ] && target=wasm32-wasip1
export CARGO_INCREMENTAL=0

# One at a time: several builds of the project may share the cache.
exec 9> "$cache/lock"
flock 9

# The sources lie where cargo keeps what it has fetched.
mkdir -p "$work/fetch"
cp -r "$here/packages/." "$work/fetch/"
folders=$(cd "$work/fetch" && cargo metadata --format-version 1 2> "$work/fetch.log" | tr ',' '\n' |
    sed -n 's|^"manifest_path":"\([^"]*\)/Cargo.toml".*|\1|p') || { cat "$work/fetch.log"; exit 1; }

# A package in a folder of its own, as it was published but for what its own tests need.
prepare() {
    local package=$1 source to=$work/$compiler/$1 stamp
    stamp=$(cksum < "$here/packages.sh")
    [ "$(cat "$to/prepared" 2> /dev/null)" = "$stamp" ] && return
    source=$(grep "/$package-0\.14\.1\$" <<< "$folders")
    rm -rf "$to"
    mkdir -p "$to"
    cp -r "$source/." "$to/"
    chmod -R u+w "$to"
    # The unit tests name the crate from within. In its authors' repository it depends on itself, which
    # a published package cannot.
    printf '\n#[cfg(test)]\nextern crate self as lunatic;\n' >> "$to/src/lib.rs"
    if [ "$package" != lunatic ]; then
        # Its tests name the crate as those of the first do, and the same dependencies need one build.
        printf '\n[lib]\nname = "lunatic"\n' >> "$to/Cargo.toml"
        sed "s/^name = \"lunatic\"$/name = \"$package\"/" "$work/$compiler/lunatic/Cargo.lock" > "$to/Cargo.lock"
        echo "$stamp" > "$to/prepared"
        return
    fi
    (
        cd "$to"
        rm -f Cargo.lock
        "$cache/cargo-$compiler" generate-lockfile --quiet
        if [ "$compiler" = old ]; then
            # The last versions that it compiles.
            for pin in serde=1.0.228 serde_core=1.0.228 serde_derive=1.0.228 rmp-serde=1.1.2 rmp=0.8.12; do
                "$cache/cargo-old" update --quiet "${pin%=*}" --precise "${pin#*=}"
            done
        fi
    )
    echo "$stamp" > "$to/prepared"
}

# build PACKAGE debug|release
build() {
    local package=$1 profile=$2 to=$cache/packages-$compiler/$1-$2 options=() kind name file
    [ "$profile" = release ] && options=(--release)
    (
        cd "$work/$compiler/$package"
        "$cache/cargo-$compiler" build --quiet -j2 "${options[@]}" --tests --examples --benches \
            --features json_serializer,msgpack_serializer,sqlite --target-dir "$cache/target-$compiler" \
            --message-format json-render-diagnostics 2> build.log
    ) > "$work/artifacts" || { tail -n 60 "$work/$compiler/$package/build.log"; exit 1; }
    rm -rf "$to"
    sed -nE 's/.*"target":\{"kind":\["([a-z]+)"\],.*"name":"([^"]+)","src_path".*"executable":"([^"]+)".*/\1 \2 \3/p' \
        "$work/artifacts" > "$work/executables"
    while read -r kind name file; do
        mkdir -p "$to/$kind"
        ln -f "$file" "$to/$kind/$name.wasm" 2> /dev/null || cp "$file" "$to/$kind/$name.wasm"
    done < "$work/executables"
    echo "$compiler $package $profile: $(find "$to" -name '*.wasm' | wc -l) programs for $target"
}

for package in lunatic lunatic-twitchax-patch; do
    prepare "$package"
    build "$package" debug
    build "$package" release
done
