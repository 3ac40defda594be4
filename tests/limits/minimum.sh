#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# minimum.sh LUNATIC HELLO RING: with less and less address space a program runs, or is refused in one line
# and with status 1; it never crashes or hangs. 64 MB are enough for a few processes on two workers.
set -uo pipefail
lunatic=$1 hello=$2 ring=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wrong=0

# attempt MB PROGRAM ARGUMENT...: sets status; leaves out and errors.
attempt()
{
    local mb=$1
    shift
    (ulimit -v $((mb * 1000)) && exec timeout 60 "$lunatic" run --workers 2 "$@" > "$work/out" 2> "$work/errors")
    status=$?
}

complain()
{
    echo "ulimit -v $1 MB: status $status; standard output:" && cat "$work/out"
    echo "standard error:" && cat "$work/errors"
    wrong=1
}

# Below 14 MB the program and the C library cannot even be loaded.
for mb in 16 18 20 22 24 26 28 30 32 34 36 38 40 42 44 48 52 56 60; do
    attempt $mb "$hello"
    if [ $status = 0 ]; then
        [ ! -s "$work/errors" ] || complain $mb
    else
        if [ $status != 1 ] || [ -s "$work/out" ] || [ "$(wc -l < "$work/errors")" != 1 ] ||
            ! grep -q '^lunatic: ' "$work/errors"; then
            complain $mb
        fi
    fi
done
attempt 16 "$hello"
[ $status = 1 ] || complain 16
for mb in 64 100 200 500 1000; do
    attempt $mb "$hello"
    if [ $status != 0 ] || ! grep -q "The child's result is 42" "$work/out"; then
        complain $mb
    fi
done

# Where there is room for some processes only, the guest learns which one could not be spawned.
attempt 100 "$ring" -- 2000 1
if [ $status != 1 ] || ! grep -q 'no memory for another process' "$work/errors"; then
    complain 100
fi
exit $wrong
