/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "cli/child.h"
#include "base/assert.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Starts `words`; its standard output is `out` unless that is negative, and then standard error is
 * nowhere. The child gets the default action for the signals that we ignore. An errno, or 0. */
static int start(const char *const *words, int out, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    char *const *argv;
    int failed;

    memcpy(&argv, &words, sizeof argv); /* the interface lacks a const; nothing is written */
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    if (out >= 0) {
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    }
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    failed = posix_spawnp(pid, words[0], &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool child_run(const char *const *words, int *status, struct error *err)
{
    return child_run_all(&words, 1, status, err);
}

bool child_run_all(const char *const *const *commands, size_t count, int *status, struct error *err)
{
    pid_t pids[CHILD_COUNT_MAX];
    size_t started = 0, i;
    int failed = 0;

    ASSERT(count <= CHILD_COUNT_MAX);
    *status = 0;
    while (started < count && failed == 0) {
        failed = start(commands[started], -1, &pids[started]);
        started += failed == 0;
    }
    for (i = 0; i < started; i++) {
        int s = wait_for(pids[i]);

        if (*status == 0)
            *status = s;
    }
    if (failed != 0)
        return fail_os(err, failed, "%s", commands[started][0]);
    return true;
}

bool child_first_line(const char *const *words, char *line, size_t size)
{
    size_t length = 0;
    ssize_t n = 0;
    pid_t pid;
    int ends[2];
    char *newline;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    if (start(words, ends[1], &pid) != 0) {
        close(ends[0]);
        close(ends[1]);
        return false;
    }
    close(ends[1]);
    while (length < size - 1) {
        n = read(ends[0], line + length, size - 1 - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        length += (size_t)n;
    }
    close(ends[0]);
    line[length] = '\0';
    newline = strchr(line, '\n');
    if (newline)
        *newline = '\0';
    return wait_for(pid) == 0 && newline;
}
