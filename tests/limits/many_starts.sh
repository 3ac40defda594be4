#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# many_starts.sh LUNATIC: 1,000 programs one after the other where address space is scarce. What those that have
# ended on one worker leave is there for the next, wherever that starts.
set -euo pipefail
lunatic=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

{
    echo '(module (memory (export "memory") 20)'
    for i in $(seq 1000); do
        echo "(func (export \"#lunatic_test_t$i\") (i32.store (i32.const 8) (i32.const 1)))"
    done
    echo ')'
} > "$work/many.wat"
for mb in 300 400 600; do
    if ! (ulimit -v $((mb * 1000)) && exec timeout 60 "$lunatic" test "$work/many.wat" > "$work/out" 2>&1); then
        echo "ulimit -v $mb MB:"
        tail -n 5 "$work/out"
        exit 1
    fi
    grep -q '1000 passed; 0 failed' "$work/out"
done
