#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# build-or-skip.sh old|new CACHE [packages | crates CRATE...]: build.sh, packages.sh or crates.sh, where its tools are there;
# else status 77 (skipped) and why, or a failure where LUNATIC_REQUIRE_RUST is set.
set -euo pipefail
missing=
for tool in cargo apt-get dpkg; do
    command -v "$tool" > /dev/null || missing="$missing $tool"
done
if [ "$1" = new ]; then
    for tool in clang-19 wasm-ld-19 llvm-ar-19; do
        command -v "$tool" > /dev/null || missing="$missing $tool"
    done
fi
if [ -n "$missing" ]; then
    echo "skipped: the Rust guests ($1 compiler) need$missing"
    [ -n "${LUNATIC_REQUIRE_RUST:-}" ] && exit 1
    exit 77
fi
exec "$(dirname "$0")/${3:-build}.sh" "$1" "$2" "${@:4}"
