#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# calls.sh COUNT_CALLS LUNATIC SPAWN.WASM: warm, a process that is spawned, sends a message back and ends makes
# at most one system call in 32 of them: 40,000 more (bench/guests/spawn.c) may make 1,250 more calls.
set -uo pipefail
counter=$1 lunatic=$2 wasm=$3
calls() {
    { "$counter" "$lunatic" run --workers 1 "$wasm" "$1" 1 > /dev/null; } 2>&1
}

few=$(calls 10000) || { status=$?; echo "$few"; exit "$status"; }
many=$(calls 50000) || { status=$?; echo "$many"; exit "$status"; }
# Each tick of 4 ms that comes in between, slowed down by the tracer, makes one as well: rt_sigreturn.
echo "10,000 spawns: $few system calls; 50,000: $many"
[ $((many - few)) -le 1250 ] || { echo "$((many - few)) more: too many"; exit 1; }
