/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of host/wasi/ share: descriptors, streams that can be waited for, jobs on helper
 * threads, and checked access to guest memory. */
#ifndef HOST_WASI_INTERNAL_H
#define HOST_WASI_INTERNAL_H

#include "base/list.h"
#include "base/vec.h"
#include "host/guest.h"
#include "host/wasi/wasi.h"
#include "plat/file_path.h"
#include "plat/thread.h"
#include "proc/actors.h"
#include "proc/environment.h"
#include "proc/process.h"
#include "sched/io.h"
#include "sched/offload.h"
#include "sched/scheduler.h"
#include "vm/instance.h"
#include "vm/outcome.h"

#define WASI_FDS_MAX      65536u       /* descriptors a process may have open */
#define WASI_PATH_MAX     4096u        /* bytes of a path, terminator included */
#define WASI_INLINE_MAX   (64u << 10)  /* bytes that are written to a file on the worker itself */
#define WASI_TRANSFER_MAX (1u << 20)   /* bytes that a single read or write moves at most */
#define WASI_READDIR_MAX  (256u << 10) /* bytes of directory entries that a job gets at once */
#define WASI_POLL_MAX     8192u        /* subscriptions of one poll_oneoff */
#define WASI_IOVS_MAX     65536u       /* pieces of one read or write that are looked at */
#define WASI_LOOK_NS      (10 * NS_PER_MS) /* how often is looked at what no poller reports */

/* Kinds of wait (proc/wait.h) of this folder. */
enum {
    WAIT_WASI_JOB = WAIT_OTHER + 32,
    WAIT_WASI_POLL,
    WAIT_WASI_YIELD,
    WAIT_WASI_RANDOM,
    WAIT_WASI_OPEN
};

enum wasi_right {
    WASI_FD_DATASYNC = 1u << 0,
    WASI_FD_READ = 1u << 1,
    WASI_FD_SEEK = 1u << 2,
    WASI_FD_FDSTAT_SET_FLAGS = 1u << 3,
    WASI_FD_SYNC = 1u << 4,
    WASI_FD_TELL = 1u << 5,
    WASI_FD_WRITE = 1u << 6,
    WASI_FD_ADVISE = 1u << 7,
    WASI_FD_ALLOCATE = 1u << 8,
    WASI_PATH_CREATE_DIRECTORY = 1u << 9,
    WASI_PATH_CREATE_FILE = 1u << 10,
    WASI_PATH_LINK_SOURCE = 1u << 11,
    WASI_PATH_LINK_TARGET = 1u << 12,
    WASI_PATH_OPEN = 1u << 13,
    WASI_FD_READDIR = 1u << 14,
    WASI_PATH_READLINK = 1u << 15,
    WASI_PATH_RENAME_SOURCE = 1u << 16,
    WASI_PATH_RENAME_TARGET = 1u << 17,
    WASI_PATH_FILESTAT_GET = 1u << 18,
    WASI_PATH_FILESTAT_SET_SIZE = 1u << 19,
    WASI_PATH_FILESTAT_SET_TIMES = 1u << 20,
    WASI_FD_FILESTAT_GET = 1u << 21,
    WASI_FD_FILESTAT_SET_SIZE = 1u << 22,
    WASI_FD_FILESTAT_SET_TIMES = 1u << 23,
    WASI_PATH_SYMLINK = 1u << 24,
    WASI_PATH_REMOVE_DIRECTORY = 1u << 25,
    WASI_PATH_UNLINK_FILE = 1u << 26,
    WASI_POLL_FD_READWRITE = 1u << 27,
    WASI_SOCK_SHUTDOWN = 1u << 28,
    WASI_SOCK_ACCEPT = 1u << 29,
    WASI_RIGHTS_ALL = (1u << 30) - 1,
};

#define WASI_RIGHTS_DIRECTORY                                                                      \
    (WASI_FD_FDSTAT_SET_FLAGS | WASI_FD_SYNC | WASI_FD_DATASYNC | WASI_FD_ADVISE |                 \
     WASI_PATH_CREATE_DIRECTORY | WASI_PATH_CREATE_FILE | WASI_PATH_LINK_SOURCE |                  \
     WASI_PATH_LINK_TARGET | WASI_PATH_OPEN | WASI_FD_READDIR | WASI_PATH_READLINK |               \
     WASI_PATH_RENAME_SOURCE | WASI_PATH_RENAME_TARGET | WASI_PATH_FILESTAT_GET |                  \
     WASI_PATH_FILESTAT_SET_SIZE | WASI_PATH_FILESTAT_SET_TIMES | WASI_FD_FILESTAT_GET |           \
     WASI_FD_FILESTAT_SET_TIMES | WASI_PATH_SYMLINK | WASI_PATH_REMOVE_DIRECTORY |                 \
     WASI_PATH_UNLINK_FILE | WASI_POLL_FD_READWRITE)
#define WASI_RIGHTS_FILE                                                                           \
    (WASI_FD_DATASYNC | WASI_FD_READ | WASI_FD_SEEK | WASI_FD_FDSTAT_SET_FLAGS | WASI_FD_SYNC |    \
     WASI_FD_TELL | WASI_FD_WRITE | WASI_FD_ADVISE | WASI_FD_ALLOCATE | WASI_FD_FILESTAT_GET |     \
     WASI_FD_FILESTAT_SET_SIZE | WASI_FD_FILESTAT_SET_TIMES | WASI_POLL_FD_READWRITE)

/* What a read-only directory, and all that is opened through it, lacks. A link's source is among
 * them: under its new name the file could be changed. */
#define WASI_RIGHTS_CHANGING                                                                       \
    (WASI_FD_WRITE | WASI_FD_ALLOCATE | WASI_FD_FILESTAT_SET_SIZE | WASI_FD_FILESTAT_SET_TIMES |   \
     WASI_PATH_CREATE_DIRECTORY | WASI_PATH_CREATE_FILE | WASI_PATH_LINK_SOURCE |                  \
     WASI_PATH_LINK_TARGET | WASI_PATH_RENAME_SOURCE | WASI_PATH_RENAME_TARGET |                   \
     WASI_PATH_FILESTAT_SET_SIZE | WASI_PATH_FILESTAT_SET_TIMES | WASI_PATH_SYMLINK |              \
     WASI_PATH_REMOVE_DIRECTORY | WASI_PATH_UNLINK_FILE)

enum wasi_fdflag {
    WASI_APPEND = 1,
    WASI_DSYNC = 2,
    WASI_NONBLOCK = 4,
    WASI_RSYNC = 8,
    WASI_SYNC = 16,
};

/* Something that may say "not yet". Many processes may wait for it; the scheduler allows one task
 * per direction, and that is `relay`, which wakes them all. A waiter that wakes tries again.
 *
 * Its end: the handle goes, the relay runs a last time, the descriptor is closed, and when no
 * poller can report it any more the storage is freed. */
struct wasi_stream {
    struct io io; /* first: release is given a pointer to it */
    struct task relay;
    struct wasi_shared *shared;
    struct wasi_handle *handle; /* NULL: it is gone; guarded by the shared lock */
    struct list link;           /* in shared->streams; guarded by the shared lock */
    bool has_io;                /* registered with a poller */
    struct spinlock lock;       /* guards what follows */
    bool armed[2];              /* the relay is the io's waiter, by direction */
    bool closing;
    struct list waiters; /* of struct wasi_waiter */
};

struct wasi_waiter {
    struct list link;
    struct task *task;
    struct wasi_stream *_Atomic stream; /* NULL: in no list */
};

/* Something open, shared by descriptors and by the jobs that use it. */
struct wasi_handle {
    _Atomic uint32_t references;
    _Atomic int fd; /* -1: a preopened directory that nobody has used yet: `root_path` */
    enum file_kind kind;
    struct file_stream *standard; /* one of the runtime's own streams: `fd` is not ours to close */
    enum output_stream captured;  /* what is written goes to the environment's output; 0: no */
    struct wasi_stream *stream;   /* can be waited for; NULL: regular file, directory */
    struct wasi_shared *shared;
    char *root_path;
    bool is_fifo;   /* opened by its name, only to read: see io.c */
    bool may_block; /* on a file system where even little things may (file_may_block) */
    struct file_listing *listing; /* where fd_readdir is; touched only by its jobs */
    char *below;                  /* as in struct config_dir */
};

/* What a descriptor number of a guest means. */
struct wasi_fd {
    struct wasi_handle *handle; /* one reference; NULL: the number is free */
    uint64_t base, inheriting;  /* enum wasi_right */
    uint16_t flags;             /* enum wasi_fdflag */
    bool is_preopened;
    bool is_read_only;  /* below such a directory: a lack of WASI_RIGHTS_CHANGING is FERR_ROFS */
    uint32_t dir_index; /* preopened: in config->dirs */
};

struct wasi {
    VEC(struct wasi_fd) fds;
    size_t open_count; /* of them that have a handle */
    size_t first_free; /* no number from 3 to below this is free */
    struct wasi_shared *shared;
};

struct wasi_shared {
    _Atomic uint32_t references; /* the runtime's, and one per handle or use of a standard one */
    struct scheduler *scheduler;
    uint64_t start_ns; /* where the guests' monotonic clock begins */
    struct file_stream standard[3];
    struct wasi_handle handles[3];
    struct wasi_fd fds[3]; /* what 0, 1 and 2 are in a process that has no table yet */
    /* The same where the environment's output is captured: nobody sees there what our own streams
     * are. */
    struct wasi_handle captured_handles[2];
    struct wasi_fd captured_fds[3];
    struct spinlock
        lock; /* guards `streams`, and the ends of handles; taken before a stream's own */
    struct list streams; /* of struct wasi_stream: all there are */
    void (*output_failed)(void *arg, int fd, enum file_error e);
    void *output_failed_arg;
    _Atomic uint32_t output_error; /* fd << 16 | enum file_error; 0: none */
    /* Standard input that a job had read for a process that was killed meanwhile: it goes to who
     * reads next. */
    struct spinlock unread_lock;
    struct bytes unread;
    _Atomic bool has_unread;
};

void wasi_shared_unref(struct wasi_shared *sh);

static inline struct wasi_shared *guest_wasi_shared(const struct guest *g)
{
    return g->host->wasi;
}

/* What 0, 1 and 2 are at first. */
static inline struct wasi_fd *guest_standard_fds(const struct guest *g)
{
    struct wasi_shared *sh = guest_wasi_shared(g);

    return g->process->environment->output.write ? sh->captured_fds : sh->fds;
}

/* ---- outcomes ---- */

static inline struct outcome wasi_done(enum file_error e)
{
    return done((uint64_t)e);
}

static inline struct outcome wasi_parked(void)
{
    return (struct outcome){0, OUTCOME_PARK};
}

/* ---- the guest's memory (all-errno: nothing here traps) ---- */

/* The `size` bytes at `at`, borrowed until the function returns; NULL: outside of the memory. */
static inline uint8_t *wasi_bytes(struct guest *g, uint32_t at, uint64_t size)
{
    const struct instance *in = g->instance;

    if (size > in->memory_length || at > in->memory_length - size)
        return NULL;
    return in->memory_base + at;
}

static inline void wasi_put16(uint8_t *at, uint16_t v)
{
    memcpy(at, &v, sizeof(v));
}
static inline void wasi_put32(uint8_t *at, uint32_t v)
{
    memcpy(at, &v, sizeof(v));
}
static inline void wasi_put64(uint8_t *at, uint64_t v)
{
    memcpy(at, &v, sizeof(v));
}
static inline uint16_t wasi_get16(const uint8_t *at)
{
    uint16_t v;

    memcpy(&v, at, sizeof(v));
    return v;
}
static inline uint32_t wasi_get32(const uint8_t *at)
{
    uint32_t v;

    memcpy(&v, at, sizeof(v));
    return v;
}
static inline uint64_t wasi_get64(const uint8_t *at)
{
    uint64_t v;

    memcpy(&v, at, sizeof(v));
    return v;
}

/* The pieces of an iovec array, at most FILE_PIECES_MAX that are not empty and WASI_TRANSFER_MAX
 * bytes;
 * `*total` is their sum. The whole array, and the pieces up to the last that is taken, are checked.
 * FERR_INVAL: more than WASI_IOVS_MAX empty ones. */
enum file_error wasi_pieces(struct guest *g, uint32_t iovs, uint32_t count,
                            struct file_piece *pieces, size_t *piece_count, size_t *total);

/* The same without the first `skip` bytes of the pieces. */
enum file_error wasi_pieces_after(struct guest *g, uint32_t iovs, uint32_t count, uint64_t skip,
                                  struct file_piece *pieces, size_t *piece_count, size_t *total);

/* A path or file name, copied with a terminator to `*out` (mem_free). FERR_ILSEQ unless it is
 * UTF-8, FERR_INVAL for a byte 0 inside. */
enum file_error wasi_path(struct guest *g, uint32_t at, uint32_t size, char **out);

/* ---- descriptors (fdtable.c) ---- */

/* The descriptor, which must have all of `rights`; borrowed until the table changes. FERR_BADF; a
 * right that is missing gives `denied`. */
enum file_error wasi_fd_get(struct guest *g, uint32_t fd, uint64_t rights, enum file_error denied,
                            struct wasi_fd **out);

/* The process's table, made if there is none; NULL: no memory. */
struct wasi *wasi_table(struct guest *g);

/* Puts a descriptor at the lowest free number. FERR_MFILE, FERR_NOMEM: nothing is taken. */
enum file_error wasi_fd_add(struct guest *g, const struct wasi_fd *f, uint32_t *number);

/* Closes a number that is open. */
void wasi_fd_remove(struct wasi *w, uint32_t number);

/* A handle of `fd` (taken), with one reference; pipes and devices get a stream. NULL: no memory,
 * and `fd` is closed. */
struct wasi_handle *wasi_handle_new(struct wasi_shared *sh, int fd, enum file_kind kind);
struct wasi_handle *wasi_handle_ref(struct wasi_handle *h);
void wasi_handle_unref(struct wasi_handle *h);

/* The system's descriptor of a handle; a preopened directory is opened the first time. May block
 * then. */
enum file_error wasi_handle_fd(struct wasi_handle *h, int *out);

/* ---- streams (stream.c) ---- */

/* A stream for `h`, whose `stream` it becomes. False: no memory. */
bool wasi_stream_new(struct wasi_handle *h) MUST_USE;

/* The handle goes: lets its stream end by itself. True: the descriptor will be closed with it. */
bool wasi_stream_close(struct wasi_handle *h);

/* The runtime ends: closes the streams that are left. */
void wasi_streams_end(struct wasi_shared *sh);

/* Registers the waiter of `t` for `direction`. False: it is ready (again) already: try once more. A
 * failure of the poller counts as ready in `*e`. */
bool wasi_stream_wait(struct wasi_stream *s, int fd, enum io_direction direction,
                      struct wasi_waiter *waiter, struct task *t, enum file_error *e);

/* Takes the waiter out. Harmless if it is in no list. */
void wasi_waiter_cancel(struct wasi_waiter *w);

/* A set of waiters that a parked process has; kept by its wait. */
struct wasi_poll {
    size_t count;
    struct wasi_waiter waiters[];
};

/* Parks until the stream of `h` may be ready; for functions that try again from the beginning.
 * True: try again now. False: `*out` is what to return. */
bool wasi_wait_ready(struct guest *g, struct wasi_handle *h, enum io_direction direction,
                     struct outcome *out);

/* To be called by such functions when they have succeeded or failed: forgets the wait. */
void wasi_wait_over(struct guest *g);

/* ---- jobs (job.c) ---- */

/* A blocking piece of work, with copies of all its input. `work` sees only the job. */
struct wasi_job {
    struct offload_job job;
    void (*work)(struct wasi_job *j);
    struct wasi_handle *handle, *other; /* references */
    char *path, *other_path;
    uint8_t *buffer; /* input or output bytes */
    size_t size;     /* of the buffer, then of what is in it */
    unsigned flags;
    int option;
    uint64_t numbers[2];
    struct file_times times;
    bool has_run;
    bool reads_input; /* standard input, whose bytes must not be lost */
    /* The result. */
    enum file_error error;
    int fd; /* -1 unless there is one, which is closed with the job */
    struct file_info info;
    bool may_block; /* of what was opened: file_may_block */
    bool is_more;   /* of a list: the end has not been reached */
};

/* Whether anybody still waits for the job. For work that waits for something from outside. */
bool wasi_job_is_wanted(const struct wasi_job *j);

/* Gives back what was read of standard input in vain; takes it again: how many of `capacity` bytes.
 */
void wasi_input_put_back(struct wasi_shared *sh, const uint8_t *data, size_t size);
size_t wasi_input_take_back(struct wasi_shared *sh, uint8_t *data, size_t capacity);

/* A job that works with `h` (referenced). NULL: no memory. */
struct wasi_job *wasi_job_new(void (*work)(struct wasi_job *j), struct wasi_handle *h);
void wasi_job_free(struct wasi_job *j);

/* What a restarted function calls first. NULL with `*running`: return wasi_parked(). NULL else:
 * this is the first call. A job: it has finished and is the caller's. */
struct wasi_job *wasi_job_resume(struct guest *g, bool *running);

/* Hands the job over. True: it has finished already and is the caller's again. False: return
 * wasi_parked(). */
bool wasi_job_start(struct guest *g, struct wasi_job *j);

/* Reads like fd_read (io.c), from a socket: with `peek` what is read stays there. `*is_cut`: what
 * did not fit of a datagram is lost. */
struct outcome wasi_receive(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                            bool peek, uint32_t size_out, bool *is_cut);

/* The same from a stream socket, waiting until the pieces are full, the stream ends or fails, or
 * the process is killed; a descriptor that must not wait gives what there is. */
struct outcome wasi_receive_all(struct guest *g, uint32_t fd, uint32_t iovs, uint32_t iov_count,
                                uint32_t size_out);

/* ---- results ---- */

void wasi_put_filestat(uint8_t *at, const struct file_info *info);

/* From the arguments of filestat_set_times. FERR_INVAL for contradictions. */
enum file_error wasi_times(uint64_t access_ns, uint64_t modify_ns, uint32_t flags,
                           struct file_times *out);

/* Notes that output to the runtime's stream could not be written. */
void wasi_output_failed(struct wasi_handle *h, enum file_error e);

#endif
