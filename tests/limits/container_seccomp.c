/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* container_seccomp [--old-kernel] COMMAND...: runs a command under a filter like that of
 * containers' default profile: the system calls that such a profile withholds from ordinary
 * containers give EPERM. With
 * --old-kernel those that came after Linux 6.1 or are missing from older profiles give ENOSYS as
 * well, so that every fallback runs. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Withheld by the default profile from a container without extra capabilities. */
static const unsigned short denied[] = {
    SYS_acct,
    SYS_add_key,
    SYS_bpf,
    SYS_clock_adjtime,
    SYS_clock_settime,
    SYS_create_module,
    SYS_delete_module,
    SYS_finit_module,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fsopen,
    SYS_fspick,
    SYS_init_module,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_io_uring_setup,
    SYS_ioperm,
    SYS_iopl,
    SYS_kcmp,
    SYS_kexec_file_load,
    SYS_kexec_load,
    SYS_keyctl,
    SYS_lookup_dcookie,
    SYS_mbind,
    SYS_mount,
    SYS_mount_setattr,
    SYS_move_mount,
    SYS_move_pages,
    SYS_open_by_handle_at,
    SYS_open_tree,
    SYS_perf_event_open,
    SYS_pivot_root,
    SYS_process_madvise,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_quotactl,
    SYS_reboot,
    SYS_request_key,
    SYS_set_mempolicy,
    SYS_setns,
    SYS_settimeofday,
    SYS_swapoff,
    SYS_swapon,
    SYS_syslog,
    SYS_umount2,
    SYS_unshare,
    SYS_userfaultfd,
    SYS_vhangup,
};

/* Not there on an older kernel or under an older profile. */
static const unsigned short missing[] = {SYS_openat2, SYS_close_range, SYS_faccessat2,
                                         SYS_epoll_pwait2};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int add_rules(struct sock_filter *f, int n, const unsigned short *calls, size_t count,
                     int error)
{
    for (size_t i = 0; i < count; i++) {
        f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
        f[n++] = (struct sock_filter)BPF_STMT(
            BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA));
    }
    return n;
}

int main(int argc, char **argv)
{
    static struct sock_filter filter[2 * (COUNT(denied) + COUNT(missing)) + 8];
    struct sock_fprog program = {0, filter};
    int first = 1, n = 0, old = argc > 1 && strcmp(argv[1], "--old-kernel") == 0;

    first += old;
    if (first >= argc) {
        fprintf(stderr, "usage: container_seccomp [--old-kernel] COMMAND...\n");
        return 2;
    }
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                               (unsigned)offsetof(struct seccomp_data, nr));
    n = add_rules(filter, n, denied, COUNT(denied), EPERM);
    if (old)
        n = add_rules(filter, n, missing, COUNT(missing), ENOSYS);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program.len = (unsigned short)n;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        perror("container_seccomp: seccomp");
        return 2;
    }
    execvp(argv[first], argv + first);
    perror(argv[first]);
    return 127;
}
