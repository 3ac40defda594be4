#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# run-tests.sh LUNATIC SEEDED FOLDER EXPECTED old|new VARIANT: runs the test programs that EXPECTED names (its
# header explains the format) from FOLDER; all tests must be there and pass.
#
# Many of them send something, sleep for 10 ms and expect it to be done. On a busy machine, or with the slow
# code of some variants, that may fail with any runtime. So tests that fail beside others are tried again,
# alone; in the variants metered and move-stacks then also with a virtual clock. A test that fails each time
# has failed.
set -uo pipefail
lunatic=$1 seeded=$2 folder=$3 expected=$4 compiler=$5 variant=$6
tries=4
case $variant in
normal) option=() ;;
*) option=("--$variant") ;;
esac

if [ ! -d "$folder" ] && [ -z "${LUNATIC_REQUIRE_RUST:-}" ]; then
    echo "skipped: $folder was not built"
    exit 77
fi

run_tests() {
    timeout 240 "$lunatic" test "${option[@]}" --timeout 60 --color never "$@" 2>&1
}

# passes_alone PROGRAM NAME
passes_alone() {
    local i
    for ((i = 1; i <= tries; i++)); do
        run_tests "$1" --exact "$2" | grep -q '^test result: ok\. 1 passed;' && break
    done
    if [ $i -le $tries ]; then
        echo "$(basename "$1"): $2 failed beside others and passed alone (try $i)"
        return
    fi
    case $variant in
    metered) timeout 240 "$seeded" "$1" "$2" > /dev/null ;;
    move-stacks) timeout 240 "$seeded" --move-stacks "$1" "$2" > /dev/null ;;
    *) false ;;
    esac || return 1
    echo "$(basename "$1"): $2 passed with a virtual clock"
}

# all_pass PROGRAM COUNT: keeps what was printed in $output.
all_pass() {
    local failed name
    output=$(run_tests "$1")
    grep -q "^test result: ok\. $2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out;" <<< "$output" && return
    grep -qE "^test result: FAILED\. [0-9]+ passed; [0-9]+ failed; 0 ignored; 0 measured; 0 filtered out;" <<< "$output" &&
        [ "$(grep -Ec '^test .* \.\.\. (ok|FAILED)$' <<< "$output")" = "$2" ] || return 1
    failed=$(sed -nE 's/^test ([^ ]+)( - should panic)? \.\.\. FAILED$/\1/p' <<< "$output")
    for name in $failed; do
        passes_alone "$1" "$name" || return 1
    done
}

failed=0 programs=0 tests=0
while read -r name old new; do
    count=$old
    [ "$compiler" = new ] && count=${new:-$old}
    if all_pass "$folder/$name.wasm" "$count"; then
        programs=$((programs + 1)) tests=$((tests + count))
    else
        printf '%s (%s): not all of %s passed\n%s\n' "$name" "$variant" "$count" "$output"
        failed=1
    fi
done < <(grep -v '^#' "$expected" | grep .)
echo "$tests tests passed in $programs programs"
[ $failed = 0 ] && [ $programs -gt 0 ]
