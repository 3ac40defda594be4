/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "cli/inspect_socket.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/printable.h"
#include "base/vec.h"
#include "cli/args.h"
#include "cli/process_table.h"
#include "cli/watch.h"
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX     256          /* bytes of a request */
#define CLIENTS_MAX     4            /* connections that are answered at a time */
#define REQUEST_TIME_MS 2000         /* a client has to say what it wants, */
#define WRITE_TIME_MS   10000        /* and to read what it gets, within this time */
#define ANSWER_TIME_S   10           /* as long may a program be silent that was asked */
#define SLICE_MS        100          /* how often a waiting writer looks whether the program ends */
#define STACK_SIZE      (256u << 10) /* of a thread that answers */
#define SAME_PID_MAX    8            /* programs of the same pid (containers that share /tmp) */

static char own_path[INSPECT_PATH_MAX]; /* of our socket, if has_path */
static atomic_bool has_path;
static _Atomic unsigned clients;

static bool address_of(const char *path, struct sockaddr_un *a)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    return (size_t)snprintf(a->sun_path, sizeof(a->sun_path), "%s", path) < sizeof(a->sun_path);
}

/* Whether the folder is ours alone: nobody else may have put it, or a socket in it, there. */
static bool is_private(const char *path, uid_t owner)
{
    struct stat s;

    return lstat(path, &s) == 0 && S_ISDIR(s.st_mode) && s.st_uid == owner &&
           (s.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* The folder of our own sockets, made if `make`. */
static bool own_folder(char *path, size_t size, bool make, struct error *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int n;

    if (runtime && runtime[0] == '/' && is_private(runtime, geteuid()))
        n = snprintf(path, size, "%s/lunatic", runtime);
    else
        n = snprintf(path, size, "/tmp/lunatic-%u", (unsigned)geteuid());
    /* A pid and ".sock" must find room too. */
    if (n < 0 || (size_t)n + 24 > size)
        return fail(err, ERR_OS, "the name of the folder for sockets is too long");
    if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
        return fail_os(err, errno, "%s", path);
    if (is_private(path, geteuid()))
        return true;
    if (!make && access(path, F_OK) != 0)
        return fail(err, ERR_NOT_FOUND, "%s does not exist", path);
    return fail(err, ERR_DENIED, "%s belongs to somebody else, or others may write to it", path);
}

/* A connection to the socket at `path`. -1: none (errno); ECONNREFUSED: nobody listens there,
 * EAGAIN: too many connections wait there already, since a program that is stopped, or means harm,
 * takes none. For one that is asked there is patience, also in reading. */
static int connect_to(const char *path, bool is_asked)
{
    const struct timeval patience = {.tv_sec = ANSWER_TIME_S};
    const int kind = SOCK_STREAM | SOCK_CLOEXEC | (is_asked ? 0 : SOCK_NONBLOCK);
    struct sockaddr_un a;
    int fd = address_of(path, &a) ? socket(AF_UNIX, kind, 0) : -1;

    if (fd >= 0 && is_asked) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)); /* connect, too */
    }
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        int e = errno;

        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

/* ---- the side of the running program ---- */

int inspect_open(struct error *err)
{
    char folder[INSPECT_PATH_MAX], path[INSPECT_PATH_MAX];
    struct sockaddr_un a;
    int fd, i;

    if (!own_folder(folder, sizeof(folder), true, err))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        (void)!fail_os(err, errno, "a socket");
        return -1;
    }
    for (i = 0; i < SAME_PID_MAX; i++) {
        int other;

        if (i == 0)
            snprintf(path, sizeof(path), "%.80s/%d.sock", folder, (int)getpid());
        else
            snprintf(path, sizeof(path), "%.80s/%d-%d.sock", folder, (int)getpid(), i);
        if (!address_of(path, &a))
            break;
        if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
            goto bound;
        if (errno != EADDRINUSE)
            break;
        /* Of a program that has not removed it, or of one with the same pid in another container,
         * which may be stopped. */
        other = connect_to(path, false);
        if (other >= 0)
            close(other);
        if (other >= 0 || errno != ECONNREFUSED) {
            errno = EADDRINUSE;
            continue;
        }
        unlink(path);
        if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
            goto bound;
    }
    (void)!fail_os(err, errno, "%s", path);
    close(fd);
    return -1;
bound:
    chmod(path, 0600);
    memcpy(own_path, path, sizeof(path));
    atomic_store(&has_path, true);
    if (listen(fd, 16) == 0)
        return fd;
    (void)!fail_os(err, errno, "%s", path);
    inspect_remove();
    close(fd);
    return -1;
}

void inspect_remove(void)
{
    if (atomic_exchange(&has_path, false))
        unlink(own_path);
}

/* Waits until `fd` can be read or written, in slices. False: too late, or the program is ending. */
static bool wait_for(int fd, short events, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = events};

    for (int waited = 0; waited < timeout_ms && !watch_is_ending(); waited += SLICE_MS) {
        if (poll(&p, 1, SLICE_MS) > 0)
            return true;
    }
    return false;
}

static bool send_all(void *context, const char *data, size_t size)
{
    int fd = *(int *)context;

    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (!wait_for(fd, POLLOUT, WRITE_TIME_MS))
                return false;
            continue;
        }
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static bool send_text(int fd, const char *text)
{
    return send_all(&fd, text, strlen(text));
}

/* Reads the line of the request. */
static bool read_request(int fd, char *line, size_t size)
{
    size_t used = 0;

    while (used < size - 1 && wait_for(fd, POLLIN, REQUEST_TIME_MS)) {
        ssize_t n = recv(fd, line + used, size - 1 - used, MSG_DONTWAIT);
        char *end;

        if (n <= 0)
            return false;
        used += (size_t)n;
        line[used] = '\0';
        end = strchr(line, '\n');
        if (end) {
            *end = '\0';
            return true;
        }
    }
    return false;
}

/* The words after the command, each `key=value`. */
static bool parse_table(char *words, struct table_options *o)
{
    char *word, *rest = words;

    table_options_init(o);
    while ((word = strsep(&rest, " "))) {
        uint64_t n = 0;
        char *value = strchr(word, '=');

        if (!value)
            return *word == '\0' && !rest;
        *value++ = '\0';
        if (strcmp(word, "sort") == 0) {
            if (!table_sort_parse(value, &o->sort))
                return false;
            continue;
        }
        if (!args_number(value, UINT64_MAX, &n))
            return false;
        if (strcmp(word, "json") == 0)
            o->is_json = n != 0;
        else if (strcmp(word, "limit") == 0)
            o->limit = n;
        else if (strcmp(word, "id") == 0)
            o->process_id = n;
        else
            return false;
    }
    return true;
}

/* One line about this program, for the list of all. */
static void answer_program(int fd, struct lunatic_runtime *rt, bool is_json)
{
    uint64_t age = (uint64_t)time(NULL) - watch_start_time();
    uint64_t count = lunatic_runtime_process_count(rt);
    struct bytes text = {0};
    bool ok = bytes_append(&text, "ok\n", 3);

    if (is_json)
        ok = ok &&
             bytes_printf(
                 &text, "{\"pid\":%d,\"age_s\":%" PRIu64 ",\"processes\":%" PRIu64 ",\"program\":",
                 (int)getpid(), age, count) &&
             json_string(&text, slice_text(watch_program())) && bytes_append(&text, "}", 1);
    else
        ok = ok &&
             bytes_printf(&text, "%8d %10" PRIu64 " %12" PRIu64 "  ", (int)getpid(), age, count) &&
             printable_append(&text, slice_text(watch_program()), PRINTABLE_ONE_LINE) &&
             bytes_append_u8(&text, '\n');
    if (ok)
        send_all(&fd, (const char *)text.data, text.size);
    bytes_deinit(&text);
}

static void answer_metrics(int fd, struct lunatic_runtime *rt)
{
    struct lunatic_error err;

    if (send_text(fd, "ok\n"))
        (void)lunatic_runtime_metrics(rt, send_all, &fd, &err);
}

static void answer(int fd, struct lunatic_runtime *rt)
{
    struct table_options options;
    char line[REQUEST_MAX];

    if (!read_request(fd, line, sizeof(line)))
        return;
    if (strncmp(line, "program", 7) == 0) {
        answer_program(fd, rt, strstr(line, "json=1") != NULL);
    } else if (strcmp(line, "metrics") == 0) {
        answer_metrics(fd, rt);
    } else if (strncmp(line, "table ", 6) == 0 && parse_table(line + 6, &options)) {
        if (send_text(fd, "ok\n"))
            table_write(rt, &options, send_all, &fd);
    } else {
        send_text(fd, "error this program is of another version and does not know the request\n");
    }
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    struct lunatic_runtime *rt = watch_take();

    if (rt) {
        answer(fd, rt);
        watch_give();
    } else {
        send_text(fd, "error the program is starting or ending\n");
    }
    close(fd);
    atomic_fetch_sub(&clients, 1);
    return NULL;
}

static bool is_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

void inspect_serve(int listening)
{
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    pthread_attr_t attributes;
    pthread_t thread;
    bool started;

    if (fd < 0)
        return;
    if (!is_allowed(fd)) {
        close(fd);
        return;
    }
    atomic_fetch_add(&clients, 1);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    started = pthread_create(&thread, &attributes, serve, (void *)(intptr_t)fd) == 0;
    pthread_attr_destroy(&attributes);
    if (started)
        return;
    atomic_fetch_sub(&clients, 1);
    send_text(fd, "error the program can start no thread to answer\n");
    close(fd);
}

bool inspect_is_busy(void)
{
    return atomic_load(&clients) >= CLIENTS_MAX;
}

/* ---- the side of `lunatic ps` ---- */

struct found {
    VEC(struct inspect_program) list;
};

/* The sockets of one folder. In our own, those at which nobody listens are removed. */
static void find_in(struct found *f, const char *folder, bool is_own)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        struct inspect_program p;
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        int fd;

        if (pid <= 0 || (strcmp(end, ".sock") != 0 && *end != '-') ||
            (size_t)snprintf(p.path, sizeof(p.path), "%s/%s", folder, entry->d_name) >=
                sizeof(p.path))
            continue;
        p.pid = (pid_t)pid;
        fd = connect_to(p.path, false);
        if (fd >= 0) {
            close(fd);
        } else if (errno != EAGAIN) {
            if (errno == ECONNREFUSED && is_own)
                unlink(p.path);
            continue;
        }
        if (!vec_push(&f->list, p))
            break;
    }
    if (dir)
        closedir(dir);
}

static int compare_pids(const void *a, const void *b)
{
    const struct inspect_program *x = a, *y = b;

    if (x->pid != y->pid)
        return x->pid < y->pid ? -1 : 1;
    return strcmp(x->path, y->path);
}

/* Everybody's folders. */
static void find_as_root(struct found *f, const char *own)
{
    static const char *const patterns[] = {"/run/user/*/lunatic", "/tmp/lunatic-*"};

    for (size_t i = 0; i < ARRAY_COUNT(patterns); i++) {
        glob_t g;

        if (glob(patterns[i], GLOB_ONLYDIR, NULL, &g) != 0)
            continue;
        for (size_t n = 0; n < g.gl_pathc; n++) {
            struct stat s;

            if (strcmp(g.gl_pathv[n], own) != 0 && lstat(g.gl_pathv[n], &s) == 0 &&
                is_private(g.gl_pathv[n], s.st_uid))
                find_in(f, g.gl_pathv[n], false);
        }
        globfree(&g);
    }
}

bool inspect_find(bool everybody, struct inspect_program **out, size_t *count, struct error *err)
{
    char folder[INSPECT_PATH_MAX];
    struct found f = {0};
    struct error words;

    if (own_folder(folder, sizeof(folder), false, &words)) {
        find_in(&f, folder, true);
    } else if (words.code != ERR_NOT_FOUND) {
        *err = words;
        return false;
    }
    if (everybody && geteuid() == 0)
        find_as_root(&f, folder);
    if (f.list.count > 1)
        qsort(f.list.items, f.list.count, sizeof(struct inspect_program), compare_pids);
    *out = f.list.items;
    *count = f.list.count;
    return true;
}

int inspect_ask(const struct inspect_program *p, const char *request, struct error *err)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    char line[256] = "";
    size_t used = 0;
    int fd = connect_to(p->path, true);

    if (fd < 0) {
        if (errno == EAGAIN)
            goto silent;
        if (errno == ENOENT || errno == ECONNREFUSED)
            goto gone;
        (void)!fail_os(err, errno, "program %d", (int)p->pid);
        return -1;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        (peer.uid != geteuid() && geteuid() != 0)) {
        (void)!fail(err, ERR_DENIED, "program %d is not yours", (int)p->pid);
        goto bad;
    }
    if (!send_all(&fd, request, strlen(request)))
        goto gone;
    while (used < sizeof(line) - 1 && !memchr(line, '\n', used)) {
        ssize_t n = read(fd, line + used, 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            goto silent;
        if (n <= 0)
            goto gone;
        used++;
    }
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "ok") == 0)
        return fd;
    (void)!fail(err, ERR_OS, "program %d: %s", (int)p->pid,
                strncmp(line, "error ", 6) == 0 ? line + 6 : line);
    goto bad;
silent:
    (void)!fail(err, ERR_OS, "program %d does not answer", (int)p->pid);
    goto bad;
gone:
    (void)!fail(err, ERR_NOT_FOUND, "program %d has ended", (int)p->pid);
bad:
    if (fd >= 0)
        close(fd);
    return -1;
}
