/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of host/sqlite/ share: connections, calls into SQLite that may take long, and the
 * files that SQLite opens for a connection.
 *
 * SQLite's interface to files and memory knows no connection, so the one that a thread works for is
 * a thread-local variable of call.c; everything else hangs from it. */
#ifndef HOST_SQLITE_INTERNAL_H
#define HOST_SQLITE_INTERNAL_H

#include "base/vec.h"
#include "host/internal.h"
#include "plat/coroutine.h"
#include "plat/file.h"
#include "proc/actors.h"
#include "sched/offload.h"
#include <sqlite3.h>

#define SQLITE_VFS_NAME "lunatic"

#define SQL_SIZE_MAX          1000000             /* bytes of one statement */
#define SQLITE_VALUE_SIZE_MAX (256 << 20)         /* bytes of one value, or of one row */
#define SQLITE_PATTERN_MAX    1000                /* bytes of a pattern of LIKE or GLOB */
#define SQLITE_VARIABLES_MAX  32766               /* number of a parameter */
#define SQLITE_TEMP_SIZE_MAX  ((uint64_t)4 << 30) /* bytes of one temporary file */
#define SQLITE_PATH_SIZE_MAX  1024                /* bytes of a path, terminator included */
#define SQLITE_BUSY_MS        5000         /* how long a locked database is waited for at first */
#define SQLITE_LINKS_MAX      8            /* symbolic links that lead to a database */
#define SQLITE_STACK_SIZE     (2u << 20)   /* of a call */
#define SQLITE_STACK_LEAST    (256u << 10) /* with less left, SQLite gets no memory and turns back */
#define SQLITE_HERE_NS        (100 * NS_PER_US) /* how long a call may keep a worker */
#define SQLITE_HERE_SQL_MAX   2048              /* bytes of text that are compiled on a worker */
#define SQLITE_LOOK_STEPS     1000 /* of SQLite's machine, after which we look at the clock */
#define SQLITE_WORDS_MAX      512  /* bytes of an error's words */

/* The kind of wait (proc/wait.h) of this folder. The object is a struct sqlite_call, or NULL while
 * the guest gives memory for a result. */
enum { WAIT_SQLITE = WAIT_OTHER + 96 };

struct database;

/* ---- memory.c: what SQLite allocates ---- */

/* What the connections of one process have allocated together. */
struct sqlite_account {
    _Atomic uint64_t state;   /* bytes in use, and holders << 48 */
    _Atomic uint64_t charged; /* bytes that count against the machine's memory: mem_charge */
    uint64_t size_max;
    _Atomic uint64_t descriptors; /* that they have open */
    uint64_t descriptor_max;
};

/* One holder, the caller. NULL: no memory. */
struct sqlite_account *sqlite_account_new(uint64_t size_max, uint64_t descriptor_max);
void sqlite_account_ref(struct sqlite_account *a);
void sqlite_account_unref(struct sqlite_account *a);
uint64_t sqlite_account_used(const struct sqlite_account *a);

/* Counts a descriptor that is about to be opened, and gives up one that was closed or never came.
 * FERR_MFILE: it would be one too many. */
enum file_error sqlite_descriptor_take(struct sqlite_account *a);
void sqlite_descriptor_give(struct sqlite_account *a);

/* Has SQLite allocate through the account of the connection it works for. False: the program has
 * used SQLite before, so that it is too late: then there is no limit. */
bool sqlite_memory_install(void);

/* ---- place.c: which files ---- */

/* A directory in which files of a connection lie. */
struct sqlite_place {
    char *folder; /* as in the paths of the files, "" if they have none */
    int fd;
    bool is_read_only;
    bool may_block; /* even small things: file_may_block */
};

/* Makes the path of a database, as the guest names it, one without "." and ".." in `out`, following
 * symbolic links. False: it is outside of the process's directories, or not permitted; then
 * db->is_refused. Blocks. */
bool sqlite_place_resolve(struct database *db, const char *path, char *out, size_t out_size);

/* The place of the file `path` (resolved before), opened if it is new, and the file's name in it.
 * Places stay as long as the connection. Blocks. */
enum file_error sqlite_place_get(struct database *db, const char *path,
                                 const struct sqlite_place **out, const char **name);

/* ---- vfs.c, vfs_file.c, vfs_shared.c: SQLite's files ---- */

/* One open file, as SQLite sees it. */
struct sqlite_file {
    sqlite3_file base; /* first */
    struct database *database;
    const struct sqlite_place *place; /* NULL: a file without a name */
    const char *path;                 /* SQLite's; NULL likewise */
    const char *name;                 /* in the place */
    int fd;
    int lock; /* SQLITE_LOCK_... */
    bool is_main;
    bool is_read_only;
    bool deletes_on_close;
    bool syncs_folder;                     /* its name may not be on the disk yet */
    struct sqlite_file *next;              /* in database->files; of main files only */
    struct sqlite_index *index;            /* of its write-ahead log; NULL: none yet */
    uint8_t index_shared, index_exclusive; /* locks it holds there, bit by bit */
};

extern const sqlite3_io_methods sqlite_file_methods;

/* Makes SQLite know our files. */
bool sqlite_vfs_install(void);

int sqlite_error_of(enum file_error e, int otherwise);

/* Has the data of `fd`, a file or a folder in that place, on the disk. */
enum file_error sqlite_sync(const struct sqlite_place *place, int fd);

/* The index of a write-ahead log, shared by all connections to a file: the functions of
 * sqlite3_io_methods. */
int sqlite_index_map(sqlite3_file *file, int region, int size, int extend, void volatile **out);
int sqlite_index_lock(sqlite3_file *file, int offset, int count, int flags);
void sqlite_index_barrier(sqlite3_file *file);
int sqlite_index_unmap(sqlite3_file *file, int deletes);

/* ---- database.c: connections ---- */

/* What connections wait for again and again, each as long as the last time, more or less. */
enum sqlite_pause_kind {
    SQLITE_PAUSE_READ,  /* what is not in the kernel's cache is read from the disk */
    SQLITE_PAUSE_SYNC,  /* what was written is to be on the disk */
    SQLITE_PAUSE_NAMES, /* files are made, removed, cut off, closed */
    SQLITE_PAUSE_KINDS
};

struct sqlite_pause {
    struct database *database; /* NULL: of none */
    enum sqlite_pause_kind kind;
    bool is_here; /* on the worker */
    uint64_t began_ns;
};

/* A piece of work for SQLite. It begins on the worker, on a stack of its own; when it is about to
 * block, or takes long, it goes on on a helper thread, and the process parks. While it waits for
 * somebody's lock it is nowhere, and the process parks until it is time to try again. */
struct sqlite_call {
    struct offload_job job;
    struct coroutine *coroutine;
    void (*work)(struct sqlite_call *c);
    enum { CALL_NONE, CALL_NEW, CALL_HERE, CALL_AWAY, CALL_ASLEEP, CALL_DONE } state;
    _Atomic bool is_unwanted; /* the process has died: come to an end */
    bool is_away;             /* runs on a helper thread */
    uint64_t began_ns;        /* on the worker */
    uint64_t sleep_ns;        /* ASLEEP: for how long */
    uint64_t cpu_ns;          /* used on helper threads */
    uint64_t away_ns;         /* CPU time of the helper thread when it began there */
    uint64_t cpu_max_ns;      /* what the process may still use, or UINT64_MAX */
    /* For the work. */
    struct statement *statement; /* one reference; may be NULL */
    char *text;                  /* a copy, terminated */
    size_t text_capacity;
    int code;               /* the result */
    sqlite3_stmt *prepared; /* likewise */
    bool is_heavy;          /* likewise */
};

struct database {
    struct resource resource; /* RESOURCE_SQLITE_DB */
    sqlite3 *db;              /* NULL: closed */
    struct host *host;
    struct config *config; /* the process's; one reference */
    struct sqlite_account *account;
    struct sqlite_call call;              /* a process does one thing at a time */
    uint64_t took_ns[SQLITE_PAUSE_KINDS]; /* the last of each; UINT64_MAX: there was none */
    VEC(struct sqlite_place *) places;
    struct sqlite_file *files; /* main files that are open */
    char *path;                /* as the guest named it; constant */
    bool is_refused;           /* what sqlite_place_resolve said last */
    bool is_heavy;             /* of the statement that is being compiled: see statement_is_heavy */
    char words[SQLITE_WORDS_MAX]; /* of the last trap */
};

struct statement {
    struct resource resource;  /* RESOURCE_SQLITE_STATEMENT */
    struct database *database; /* one reference */
    sqlite3_stmt *stmt;        /* NULL: of a text without a statement */
    bool is_heavy;             /* has parts that cannot be left: begins on a helper thread */
};

/* Prepares what all connections share, once. False: SQLite cannot be used. */
bool sqlite_start(void);

/* A connection that is not open yet. One reference, the caller's. NULL: no memory. */
struct database *database_new(struct guest *g, struct slice path);

/* Frees one that is closed. */
void database_free(struct database *db);

/* Opens it: `code`. Blocks. */
void database_work_open(struct sqlite_call *c);
/* Closes it, with its statements. Blocks. */
void database_work_close(struct sqlite_call *c);

/* The connection of that id, open; NULL: none. */
struct database *database_get(const struct guest *g, uint64_t id);
/* The statement of that id, its connection open; NULL: none. */
struct statement *statement_get(const struct guest *g, uint64_t id);

/* Traps with SQLite's words. */
struct outcome database_trap(struct guest *g, struct database *db, const char *function, int code);

/* ---- call.c ---- */

/* The connection that the calling thread works for; NULL: none. And sets it; returns the one
 * before. */
struct database *sqlite_current(void);
struct database *sqlite_set_current(struct database *db);

/* Copies text for the work. False: no memory. */
bool call_set_text(struct sqlite_call *c, struct slice text) MUST_USE;

/* Begins a call on `db`, on this worker or (`away`) on a helper thread. True: it is done already.
 * False: return guest_park(); the function is called again, and asks call_again. */
bool call_begin(struct guest *g, struct database *db, void (*work)(struct sqlite_call *c),
                struct statement *st, bool away) MUST_USE;

/* The first thing in a function that begins calls. A call: it is done. NULL: `*parked` says whether
 * to return guest_park(), else it is the function's first time. */
struct sqlite_call *call_again(struct guest *g, bool *parked);

/* The result has been looked at. */
void call_end(struct guest *g, struct sqlite_call *c);

/* Closes the connection somewhere, and frees it: the last reference has gone. */
void call_close_alone(struct database *db);

/* For the work, from inside of SQLite. About to block: goes to a helper thread. Has it taken
 * long: likewise. Sleeps. All do nothing where there is nobody to be kept from work. */
void call_leave_worker(void);
void call_look_at_clock(void);
void call_sleep(uint64_t ns);

/* Around a wait for the disk that is short on some machines: goes to a helper thread unless the
 * last of its kind was short, and the worker has nothing else to do (in_place.h). `place`: of the
 * file; NULL: it has none. */
struct sqlite_pause call_pause_begin(const struct sqlite_place *place, enum sqlite_pause_kind kind);
void call_pause_end(const struct sqlite_pause *p);

/* What SQLite is told of a lock that somebody else has: SQLITE_BUSY, after which it may sleep and
 * try again, or SQLITE_INTERRUPT if nobody waits for the call any more. */
int call_busy(void);

/* ---- value.c: what guests and SQLite exchange ---- */

/* Binds a list. False: `*words` say what is wrong with it (static), or are NULL: SQLite's `code`
 * says it. */
bool sqlite_bind_list(sqlite3_stmt *stmt, struct slice list, const char **words, int *code);

/* The bytes of a value of the current row, of the row, and of text, as guests get them; written to
 * `at` unless that is NULL. Returns how many. */
size_t sqlite_put_value(sqlite3_stmt *stmt, int column, uint8_t *at);
size_t sqlite_put_row(sqlite3_stmt *stmt, uint8_t *at);
size_t sqlite_put_names(sqlite3_stmt *stmt, uint8_t *at);
size_t sqlite_put_error(sqlite3 *db, uint8_t *at);

#endif
