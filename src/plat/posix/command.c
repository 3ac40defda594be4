/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "plat/command.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static struct rlimit descriptors_before; /* rlim_max 0: the limit is as it was */

void command_raise_descriptors(void)
{
    struct rlimit now, raised;

    if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur == now.rlim_max)
        return;
    raised = (struct rlimit){now.rlim_max, now.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        descriptors_before = now;
}

/* posix_spawn knows no limits: ours is what the child gets. For the moment of the spawn nobody can
 * open more descriptors than before. */
static int spawn_with_old_limit(pid_t *child, const char *const *arguments,
                                const posix_spawn_file_actions_t *actions,
                                const posix_spawnattr_t *attributes)
{
    struct rlimit now;
    bool lower = descriptors_before.rlim_max != 0 && getrlimit(RLIMIT_NOFILE, &now) == 0 &&
                 setrlimit(RLIMIT_NOFILE, &descriptors_before) == 0;
    int e = posix_spawnp(child, arguments[0], actions, attributes,
                         (char *const *)(uintptr_t)arguments, environ);

    if (lower)
        (void)!setrlimit(RLIMIT_NOFILE, &now);
    return e;
}

static bool spawn(const char *const *arguments, int out, pid_t *child, struct error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    int e;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE); /* which we ignore */
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    e = spawn_with_old_limit(child, arguments, &actions, &attributes);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (e == ENOENT)
        return fail(err, ERR_NOT_FOUND, "the program \"%s\" is not installed", arguments[0]);
    return e == 0 || fail_os(err, e, "starting \"%s\"", arguments[0]);
}

bool command_run(const char *const *arguments, struct bytes *output, int *status, struct error *err)
{
    char buffer[4096];
    int pipes[2], how;
    pid_t child;
    ssize_t n;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return fail_os(err, errno, "making a pipe");
    if (!spawn(arguments, pipes[1], &child, err)) {
        close(pipes[0]);
        close(pipes[1]);
        return false;
    }
    close(pipes[1]);
    while ((n = read(pipes[0], buffer, sizeof(buffer))) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        if (n > 0 && !bytes_append(output, buffer, (size_t)n))
            continue; /* cut, but let it end */
    }
    close(pipes[0]);
    while (waitpid(child, &how, 0) < 0) {
        if (errno != EINTR)
            return fail_os(err, errno, "waiting for \"%s\"", arguments[0]);
    }
    *status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
    return true;
}

bool file_temporary(char *path, size_t size, struct error *err)
{
    const char *dir = getenv("TMPDIR");
    int fd;

    if (!dir || !*dir)
        dir = "/tmp";
    if ((size_t)snprintf(path, size, "%s/lunatic-XXXXXX", dir) >= size)
        return fail(err, ERR_OS, "the name of the directory for temporary files is too long");
    fd = mkstemp(path);
    if (fd < 0)
        return fail_os(err, errno, "making a temporary file in \"%s\"", dir);
    close(fd);
    return true;
}

void file_remove(const char *path)
{
    unlink(path);
}
