/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Files by descriptor: reading, writing, their facts, directories, and streams that say "not yet".
 *
 * Everything here is one system call or a few, made on the calling thread. Whether it may block is
 * said per function; callers on a worker use those that may only through an offload job. Paths
 * given by guests are resolved in file_path.h. */
#ifndef PLAT_FILE_H
#define PLAT_FILE_H

#include "base/bytes.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a call failed. The numbers are WASI's errno, so that they can be handed on as they are. */
enum file_error {
    FERR_OK = 0,
    FERR_2BIG = 1,
    FERR_ACCES = 2,
    FERR_AGAIN = 6, /* not now: wait for readiness, or do it where blocking is allowed */
    FERR_BADF = 8,
    FERR_BUSY = 10,
    FERR_CONNRESET = 15,
    FERR_DQUOT = 19,
    FERR_EXIST = 20,
    FERR_FAULT = 21,
    FERR_FBIG = 22,
    FERR_ILSEQ = 25,
    FERR_INTR = 27,
    FERR_INVAL = 28,
    FERR_IO = 29,
    FERR_ISDIR = 31,
    FERR_LOOP = 32,
    FERR_MFILE = 33,
    FERR_MLINK = 34,
    FERR_NAMETOOLONG = 37,
    FERR_NFILE = 41,
    FERR_NODEV = 43,
    FERR_NOENT = 44,
    FERR_NOMEM = 48,
    FERR_NOSPC = 51,
    FERR_NOSYS = 52,
    FERR_NOTCONN = 53,
    FERR_NOTDIR = 54,
    FERR_NOTEMPTY = 55,
    FERR_NOTSOCK = 57,
    FERR_NOTSUP = 58,
    FERR_NOTTY = 59,
    FERR_NXIO = 60,
    FERR_OVERFLOW = 61,
    FERR_PERM = 63, /* also: the path leaves the directory it is confined to */
    FERR_PIPE = 64,
    FERR_RANGE = 68,
    FERR_ROFS = 69,
    FERR_SPIPE = 70,
    FERR_TXTBSY = 74,
    FERR_XDEV = 75,
    FERR_NOTCAPABLE = 76,
};

/* What kind of thing a descriptor or a name is. The numbers are WASI's filetype. */
enum file_kind {
    FILE_UNKNOWN = 0, /* pipes among others */
    FILE_BLOCK_DEVICE = 1,
    FILE_CHARACTER_DEVICE = 2,
    FILE_DIRECTORY = 3,
    FILE_REGULAR = 4,
    FILE_SOCKET_DGRAM = 5,
    FILE_SOCKET_STREAM = 6,
    FILE_SYMLINK = 7,
};

struct file_info {
    uint64_t device, inode, links;
    uint64_t size;                            /* bytes */
    uint64_t access_ns, modify_ns, change_ns; /* since 1970; earlier times read as 0 */
    enum file_kind kind;
    bool is_fifo; /* then the kind is FILE_UNKNOWN */
};

/* A piece of memory to read into or write from. */
struct file_piece {
    void *data;
    size_t size;
};
#define FILE_PIECES_MAX                                                                            \
    64 /* pieces a single read or write takes; callers pass the first so many                      \
        */

#define FILE_AT_POSITION (-1) /* as an offset: where the descriptor stands, which moves on */

/* The words for `e`, as in a message to a person. */
const char *file_error_words(enum file_error e);

/* The whole of the file `path` (not confined: for the runtime's own use), at most `size_max` bytes.
 * What `out` held is freed by the caller's bytes_deinit. Fails with ERR_OS, ERR_LIMIT,
 * ERR_NO_MEMORY. Blocks. */
bool file_read_all(const char *path, size_t size_max, struct bytes *out, struct error *err)
    MUST_USE;

/* Closes; -1 is harmless. May block on some file systems when data is written back. */
void file_close(int fd);

/* Descriptors that this program may have open at a time. */
uint64_t file_count_limit(void);

/* A second descriptor of the same open file; -1: none left. */
int file_duplicate(int fd);

/* Reads or writes up to the sum of the pieces, at `offset` or FILE_AT_POSITION; `*size` is what was
 * done, for reads 0 at the end. A descriptor that does not block (file_stream_open, or opened
 * through file_path.h) gives FERR_AGAIN rather than wait; so does any read of a regular file with
 * `cached` set when the bytes are not in memory, or when the file system cannot tell. Otherwise
 * regular files may block for the disk.
 * SIGPIPE never comes. */
enum file_error file_read(int fd, const struct file_piece *pieces, size_t count, int64_t offset,
                          bool cached, size_t *size);
enum file_error file_write(int fd, const struct file_piece *pieces, size_t count, int64_t offset,
                           size_t *size);

/* Whether even small things done to the open file may have to wait for somebody: for a server, or
 * for a program that provides the file system. */
bool file_may_block(int fd);

/* Moves the position; `from`: 0 the start, 1 where it stands, 2 the end. FERR_SPIPE on what has
 * none. */
enum file_error file_seek(int fd, int64_t distance, int from, uint64_t *position);

enum file_error file_get_info(int fd, struct file_info *out);
enum file_error file_set_size(int fd, uint64_t size);

/* Makes the file at least offset + size bytes long, with room for them reserved. Blocks. */
enum file_error file_allocate(int fd, uint64_t offset, uint64_t size);

/* Writes what is cached; with `data_only` not necessarily the times. Blocks. */
enum file_error file_sync(int fd, bool data_only);

/* A new file without a name, for reading and writing, where the system keeps temporary files: it is
 * gone when it is closed, whatever happens. Blocks. */
enum file_error file_open_unnamed(int *out);

/* Gives `to` the permissions of `from`, and its owner where that is allowed. Blocks. */
enum file_error file_copy_access(int from, int to);

/* The working directory of this program, absolute, with a terminator. FERR_RANGE: it is longer. */
enum file_error file_current_directory(char *text, size_t capacity);

/* How the bytes will be used: 0 normal, 1 in order, 2 randomly, 3 soon, 4 not soon, 5 once. */
enum file_error file_advise(int fd, uint64_t offset, uint64_t size, int advice);

/* What a time is set to. */
enum file_time_action { FILE_TIME_KEEP, FILE_TIME_NOW, FILE_TIME_SET };
struct file_times {
    enum file_time_action access, modify;
    uint64_t access_ns, modify_ns; /* where the action is SET */
};
enum file_error file_set_times(int fd, const struct file_times *times);

/* Turns appending on or off: with it every write goes to the end. */
enum file_error file_set_append(int fd, bool append);

/* One directory entry. `name` is valid until the next call. */
struct file_entry {
    uint64_t cookie; /* where the next entry is; never 0 */
    uint64_t inode;
    const char *name;
    size_t name_size;
    enum file_kind kind;
};

/* Where a listing of a directory has come to. */
struct file_listing;

/* Begins a listing of directory `dir`, which may be a mere handle. FERR_NOMEM and the like. Blocks.
 */
enum file_error file_listing_open(int dir, struct file_listing **out);
void file_listing_close(struct file_listing *l);

/* Calls `each` for the entries from `cookie` on (0: the first, as they are now), "." and ".."
 * included, until it returns false or there are no more. Going on with a cookie of one of the last
 * entries costs no search. One thread at a time. Blocks. */
enum file_error file_listing_read(struct file_listing *l, uint64_t cookie,
                                  bool (*each)(void *arg, const struct file_entry *e), void *arg);

/* Another open of directory `dir`, for reading. Blocks. */
enum file_error file_reopen_directory(int dir, int *out);

/* How the runtime's own stdin, stdout and stderr can be used without blocking a worker. */
enum file_stream_kind {
    FILE_STREAM_CLOSED,   /* not open: every use fails with FERR_BADF */
    FILE_STREAM_DIRECT,   /* regular file or the like: reads and writes end soon */
    FILE_STREAM_POLLABLE, /* `fd` never blocks (a socket: by file_receive, file_send); wait for
                             readiness when it says FERR_AGAIN */
    FILE_STREAM_BLOCKING, /* can only be used where blocking is allowed */
};

struct file_stream {
    int fd;
    bool owned; /* `fd` is a descriptor of our own, to be closed; else it is the runtime's 0, 1 or 2
                 */
    bool terminal;
    bool readable, writable; /* as the descriptor was opened */
    enum file_stream_kind kind;
    enum file_kind file_kind;
};

/* Looks at the runtime's descriptor `fd`. A pipe, a terminal or a socket gets an open file
 * description of our own where the system allows it, since making the given one nonblocking would
 * change it for every program that shares it. Startup only. */
void file_stream_open(int fd, struct file_stream *out);
void file_stream_close(struct file_stream *s);

#define FILE_CAN_READ   1u
#define FILE_CAN_WRITE  2u
#define FILE_HAS_HUNGUP 4u

/* Which of the above hold for `fd` now. Never blocks. */
unsigned file_readiness(int fd);

/* Waits until `fd` can be read (or written), or for so long. True: try. Blocks. */
bool file_wait(int fd, bool writes, unsigned timeout_ms);

/* How many bytes can be read from `fd` at once, as far as known; 0 if not. Never blocks. */
uint64_t file_readable_size(int fd);

/* Sockets, which may be in blocking mode: FERR_AGAIN rather than wait. FERR_NOTSOCK. `peek`: what
 * is read stays. `*is_cut`: there was more in the datagram than the pieces could take. */
enum file_error file_receive(int fd, const struct file_piece *pieces, size_t count, bool peek,
                             size_t *size, bool *is_cut);
enum file_error file_send(int fd, const struct file_piece *pieces, size_t count, size_t *size);

/* Ends receiving, sending or both. */
enum file_error file_shut_down(int fd, bool receiving, bool sending);

/* Whether a socket waits for connections. */
bool file_listens(int fd);

/* Takes a connection, which never blocks and is closed on exec. FERR_INVAL: nobody listens there.
 * Blocks until there is one. */
enum file_error file_accept(int fd, int *out);

/* ---- faults, for tests ---- */

/* What the functions of file.h, file_path.h and file_lock.h that databases use ask of the system.
 */
enum file_call {
    FILE_CALL_OPEN,     /* file_root_open, file_path_open, file_open_unnamed */
    FILE_CALL_READ,     /* file_read */
    FILE_CALL_WRITE,    /* file_write */
    FILE_CALL_SYNC,     /* file_sync */
    FILE_CALL_SET_SIZE, /* file_set_size */
    FILE_CALL_UNLINK,   /* file_path_unlink, file_path_remove_directory */
    FILE_CALL_LOCK,     /* file_lock, file_is_locked */
    FILE_CALL_GET_INFO, /* file_get_info, and what is built on it */
};

/* Decides what happens to a call instead of, or before, the system's: an errno is what the call is
 * made to say; 0 lets it through, a read or a write with at most `*size` bytes, which it may make
 * fewer (at least 1). What is tried again after EINTR asks again. Any thread calls it. NULL: no
 * faults. Tests only. */
typedef int file_fault_fn(enum file_call call, size_t *size);
void file_set_fault(file_fault_fn *fault);

#endif
