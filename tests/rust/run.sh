#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# run.sh LUNATIC WASM SOURCE [OPTION...]: runs a guest and compares its standard output with the
# `// expect:` lines of its source, in order, and its exit status with `// exit:`.
set -uo pipefail
lunatic=$1 wasm=$2 source=$3
shift 3

if [ ! -e "$wasm" ] && [ -z "${LUNATIC_REQUIRE_RUST:-}" ]; then
    echo "skipped: $wasm was not built"
    exit 77
fi

expected=$(sed -n 's|^// expect: ||p' "$source")
status_expected=$(sed -n 's|^// exit: ||p' "$source")
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
actual=$(timeout 120 "$lunatic" run "$@" "$wasm" 2> "$errors")
status=$?
if [ "$actual" != "$expected" ] || [ "$status" != "$status_expected" ]; then
    printf 'expected (status %s):\n%s\nactual (status %s):\n%s\nstandard error:\n' \
        "$status_expected" "$expected" "$status" "$actual"
    cat "$errors"
    exit 1
fi
