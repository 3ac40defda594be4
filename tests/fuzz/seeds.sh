#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# seeds.sh FOLDER [NAME]: fills FOLDER with small modules to start fuzzing from, made of seeds/*.wat, and with
# what the fuzzer NAME (decode, compile) has found so far: corpus/NAME/*, text or bytes. LUNATIC_SMITH, if set: the generator of modules (smith/), which
# gives two hundred more.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
for input in "$here"/seeds/*.wat "$here/corpus/${2:-none}"/*; do
    case $input in
    *.wat)
        wat2wasm --enable-extended-const --debug-names "$input" -o "$1/$(basename "$input" .wat).wasm"
        ;;
    *)
        [ ! -f "$input" ] || cp "$input" "$1/"
        ;;
    esac
done
[ -z "${LUNATIC_SMITH:-}" ] || "$LUNATIC_SMITH" 0 200 "$1"
