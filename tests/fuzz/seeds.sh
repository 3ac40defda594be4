#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# seeds.sh FOLDER: fills FOLDER with small modules to start fuzzing from, made of seeds/*.wat.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
for text in "$here"/seeds/*.wat; do
    wat2wasm --enable-extended-const --debug-names "$text" -o "$1/$(basename "$text" .wat).wasm"
done
