#!/bin/bash
# SPDX-License-Identifier: Apache-2.0 OR MIT
# run.sh WHERE COMMAND...: runs a command where resources are scarce. Status 77: this machine cannot make
# such a place (no right to), and then it says why.
#   address-space   ulimit -v of 2 GB
#   cgroup          a memory cgroup of 512 MB
#   strict          vm.overcommit_memory=2 (the whole machine, while the command runs)
set -uo pipefail
where=$1
shift

skip()
{
    echo "skipped: $1"
    [ -n "${LUNATIC_REQUIRE_LIMITS:-}" ] && exit 1
    exit 77
}

case $where in
address-space)
    ulimit -v 2000000
    "$@"
    ;;
cgroup)
    limit=$((512 * 1024 * 1024))
    if [ -f /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
        group=/sys/fs/cgroup/memory/lunatic-test-$$ file=memory.limit_in_bytes
    else
        group=/sys/fs/cgroup/lunatic-test-$$ file=memory.max
        echo +memory > /sys/fs/cgroup/cgroup.subtree_control 2> /dev/null
    fi
    mkdir "$group" 2> /dev/null || skip "no right to make a cgroup"
    trap 'rmdir "$group"' EXIT
    { echo $limit > "$group/$file"; } 2> /dev/null || skip "no memory controller for cgroups"
    # $BASHPID: the subshell moves itself, then becomes the command.
    (echo $BASHPID > "$group/cgroup.procs" && exec "$@")
    ;;
strict)
    setting=/proc/sys/vm/overcommit_memory
    before=$(cat $setting)
    { echo 2 > $setting; } 2> /dev/null || skip "no right to set vm.overcommit_memory"
    trap 'echo "$before" > $setting' EXIT
    "$@"
    ;;
*)
    echo "run.sh: no such place: $where" >&2
    exit 2
    ;;
esac
