# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash
_lunatic() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    case $before in
    --dir | --junit)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    --env | --skip | --test-threads | --shuffle-seed | --arg | --workers | --seed | --max-memory | --max-fuel | --timeout | --inherit-env | --max-cpu | --max-processes | --max-mailbox | --max-messages | --max-descriptors | --max-timers | --allow-net | --deny-net | --grace | --metrics | --limit | --process) return ;;
    --policy)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --target)
        mapfile -t COMPREPLY < <(compgen -W "wasm32-wasip1 wasm32-wasi" -- "$word")
        return
        ;;
    --log)
        mapfile -t COMPREPLY < <(compgen -W "off error warn info debug trace" -- "$word")
        return
        ;;
    --log-format)
        mapfile -t COMPREPLY < <(compgen -W "text json" -- "$word")
        return
        ;;
    --sort)
        mapfile -t COMPREPLY < <(compgen -W "id cpu memory queue" -- "$word")
        return
        ;;
    --format)
        mapfile -t COMPREPLY < <(compgen -W "pretty terse json junit" -- "$word")
        return
        ;;
    --color)
        mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$word")
        return
        ;;
    help)
        mapfile -t COMPREPLY < <(compgen -W "run test init cc ps" -- "$word")
        return
        ;;
    esac
    if [[ $word == -* && ${COMP_WORDS[1]} == test ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--skip --exact --ignored --include-ignored --exclude-should-panic --list
            --nocapture --show-output --test-threads --timeout --shuffle --shuffle-seed --quiet --format --color
            --report-time --junit --logfile --arg --dir --no-current-dir --env --inherit-env --workers --max-memory --max-fuel
            --max-cpu --max-processes --max-mailbox --max-messages --max-descriptors --max-timers --allow-net
            --deny-net --allow-database --no-spawn --no-configs --no-compile --policy
            --help" -- "$word")
        return
    fi
    if [[ ${COMP_WORDS[1]} == init && $COMP_CWORD -gt 1 ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--target --help" -- "$word")
        return
    fi
    if [[ ${COMP_WORDS[1]} == ps && $COMP_CWORD -gt 1 ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--all --limit --sort --process --users --json --metrics --help" -- "$word")
        return
    fi
    if [[ $word == -* && ${COMP_WORDS[1]} != cc ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--dir --no-current-dir --env --inherit-env --bench --workers --seed --max-memory --max-fuel
            --max-cpu --max-processes --max-mailbox --max-messages --max-descriptors --max-timers --allow-net
            --deny-net --allow-database --no-spawn --no-configs --no-compile --policy
            --timeout --log --log-format --grace --no-inspect --metrics --help --version" -- "$word")
        return
    fi
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "run test init cc ps help" -- "$word")
    fi
    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$word")
}
complete -o filenames -F _lunatic lunatic
