# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash
_lunatic() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    case $before in
    --dir)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    --env | --workers | --seed | --max-memory | --max-fuel | --timeout) return ;;
    help)
        mapfile -t COMPREPLY < <(compgen -W "run cc" -- "$word")
        return
        ;;
    esac
    if [[ $word == -* && ${COMP_WORDS[1]} != cc ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--dir --no-current-dir --env --bench --workers --seed --max-memory --max-fuel
            --timeout --help --version" -- "$word")
        return
    fi
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "run cc help" -- "$word")
    fi
    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$word")
}
complete -o filenames -F _lunatic lunatic
