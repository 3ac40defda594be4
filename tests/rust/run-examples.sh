#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# run-examples.sh LUNATIC FOLDER EXPECTED: runs each program that EXPECTED names (the header of
# examples.expected explains the format) from FOLDER, in all variants of the generated code, and compares.
set -uo pipefail
lunatic=$1 folder=$2 expected=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -d "$folder" ] && [ -z "${LUNATIC_REQUIRE_RUST:-}" ]; then
    echo "skipped: $folder was not built"
    exit 77
fi

# One file per section, its first line "== NAME ARGUMENT...".
awk -v to="$work" '/^#/ || /^$/ { next } /^== / { file = sprintf("%s/%02d", to, ++n) } { print > file }' "$expected"

# check SECTION VARIANT: runs it; says what differs.
check() {
    local section=$1 folder_own=$1-$2.d option=() name words=() variables=() wanted=() status=0 actual line kind rest i any=0 some=0
    [ "$2" = normal ] || option=("--$2")
    while read -r kind rest; do
        case $kind in
        ==) read -r name line <<< "$rest"; read -ra words <<< "$line" ;;
        environment) variables+=("$rest") ;;
        any) any=1 ;;
        some) some=1 wanted+=("$rest") ;;
        count) some=1 ;;
        out) wanted+=("$rest") ;;
        status) status=$rest ;;
        esac
    done < "$section"
    mkdir "$folder_own"
    (
        cd "$folder_own" || exit 1
        exec env "${variables[@]}" timeout 120 "$lunatic" run "${option[@]}" "$folder/$name.wasm" "${words[@]}"
    ) > "$section-$2.out" 2> "$section-$2.err"
    actual=$?
    {
        [ "$actual" = "$status" ] || echo "status $actual instead of $status"
        mapfile -t lines < "$section-$2.out"
        if [ $some = 0 ] && [ ${#lines[@]} != ${#wanted[@]} ]; then
            echo "${#lines[@]} lines instead of ${#wanted[@]}"
        fi
        for i in "${!wanted[@]}"; do
            if [ $any = 1 ] || [ $some = 1 ]; then
                grep -Exq -- "${wanted[i]}" "$section-$2.out" || echo "no line: ${wanted[i]}"
            else
                grep -Exq -- "${wanted[i]}" <<< "${lines[i]:-}" || echo "line $((i + 1)) is not: ${wanted[i]}"
            fi
        done
        while read -r kind rest; do
            case $kind in
            err) grep -Exq -- "$rest" "$section-$2.err" || echo "standard error lacks: $rest" ;;
            count) [ "$(grep -Exc -- "${rest#* }" "$section-$2.out")" = "${rest%% *}" ] || echo "not $rest" ;;
            esac
        done < "$section"
    } > "$section-$2.wrong"
    if [ -s "$section-$2.wrong" ]; then
        echo "$name ($2):"
        sed 's/^/    /' "$section-$2.wrong"
        sed 's/^/  out: /' "$section-$2.out"
        sed 's/^/  err: /' "$section-$2.err"
    else
        echo "$name ($2): ok" > "$section-$2.ok"
    fi
}

# A few wait for seconds, so several run at a time.
count=0
for variant in normal metered exact move-stacks old-kernel; do
    for section in "$work"/[0-9][0-9]; do
        while [ "$(jobs -rp | wc -l)" -ge 8 ]; do wait -n; done
        check "$section" "$variant" &
        count=$((count + 1))
    done
done
wait
passed=$(find "$work" -name '*.ok' | wc -l)
echo "$passed of $count runs as expected"
[ "$passed" = "$count" ] && [ "$count" -gt 0 ]
