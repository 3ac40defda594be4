/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* count_calls COMMAND...: runs a command and prints on standard error how many system calls it
 * made, in all its threads. Status 77: this place does not let programs be traced. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77
#define OPTIONS                                                                                    \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |      \
     PTRACE_O_EXITKILL)

/* Lets the stopped thread go on, with a signal that was meant for it. */
static void go_on(pid_t thread, int number)
{
    ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(long)number);
}

int main(int argc, char **argv)
{
    unsigned long stops = 0;
    int status, ended = 1;
    pid_t child, thread;

    if (argc < 2) {
        fprintf(stderr, "usage: count_calls COMMAND...\n");
        return 2;
    }
    child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(SKIPPED);
        raise(SIGSTOP);
        execvp(argv[1], argv + 1);
        fprintf(stderr, "count_calls: %s: %s\n", argv[1], strerror(errno));
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
        return SKIPPED;
    if (ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)OPTIONS) != 0) {
        kill(child, SIGKILL);
        return SKIPPED;
    }
    go_on(child, 0);
    while ((thread = waitpid(-1, &status, __WALL)) > 0) {
        int number;

        if (!WIFSTOPPED(status)) {
            if (thread == child)
                ended = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        number = WSTOPSIG(status);
        if (number == (SIGTRAP | 0x80)) {
            stops++;
            number = 0;
        } else if (number == SIGTRAP || number == SIGSTOP) {
            number = 0; /* events, and the first stop of a new thread */
        }
        go_on(thread, number);
    }
    fprintf(stderr, "%lu\n", stops / 2); /* one at entry, one at exit */
    return ended;
}
