/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Lunatic as a library: runs WebAssembly programs that consist of many processes.
 *
 *     struct lunatic_error err;
 *     struct lunatic_runtime *rt;
 *     struct lunatic_module *m;
 *     struct lunatic_exit how;
 *
 *     if (!lunatic_runtime_new(NULL, &rt, &err) ||
 *         !lunatic_module_load_file(rt, "app.wasm", &m, &err) ||
 *         !lunatic_runtime_run(rt, m, NULL, &how, &err))
 *         fprintf(stderr, "%s\n", err.text);
 *
 * A runtime has worker threads; environments in it are worlds of processes that do not see each
 * other. A program is run by making an environment whose main process calls the module's export
 * `_start`; the environment ends with its main process.
 *
 * Functions that can fail return false and fill `err` (which may be NULL) with one line of text.
 * Options structs are filled by their _init function, so that a program compiled against an older
 * header works with a newer library; NULL means defaults. Any thread may call any function unless
 * its comment says otherwise. None may be called in a signal handler.
 *
 * Signals: the first runtime takes SIGURG, and SIGBUS where the system has userfaultfd. What is not
 * the runtime's of SIGBUS goes to the handler that was there before; a program that installs one
 * later passes on what it does not know to the one that it replaced. */
#ifndef LUNATIC_RUNTIME_H
#define LUNATIC_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LUNATIC_ERROR_TEXT_MAX 512

/* What kind of thing went wrong. */
enum lunatic_error_code {
    LUNATIC_OK = 0,
    LUNATIC_ERROR_MODULE, /* the module is malformed, invalid, or uses what is not supported */
    LUNATIC_ERROR_IMPORT, /* it imports what does not exist; see lunatic_error.report */
    LUNATIC_ERROR_LIMIT,  /* a limit would be exceeded */
    LUNATIC_ERROR_MEMORY, /* there is no memory */
    LUNATIC_ERROR_FILE,   /* a file cannot be found or read */
    LUNATIC_ERROR_SYSTEM, /* the operating system refuses something else */
    LUNATIC_ERROR_USAGE,  /* an option does not make sense */
};

struct lunatic_error {
    enum lunatic_error_code code;
    char text[LUNATIC_ERROR_TEXT_MAX]; /* one line, or one per missing import */
};

struct lunatic_runtime;
struct lunatic_module;
struct lunatic_environment;

enum lunatic_log_level {
    LUNATIC_LOG_OFF,
    LUNATIC_LOG_ERROR,
    LUNATIC_LOG_WARN, /* failures of processes, with a backtrace */
    LUNATIC_LOG_INFO,
    LUNATIC_LOG_DEBUG,
    LUNATIC_LOG_TRACE,
};

struct lunatic_runtime_options {
    size_t size;                /* of this struct, set by _init */
    unsigned workers;           /* threads that run processes; 0: one per core we may use */
    bool deterministic;         /* one worker, virtual clock: the same seed gives the same run */
    uint64_t seed;              /* of deterministic runs */
    uint32_t process_count_max; /* per environment; 0: 2^24 */
    bool metered;     /* debugging: count instructions in all code, no preemption by signal */
    bool exact;       /* debugging: a trap leaves exactly the stores before it */
    bool move_stacks; /* debugging: move stacks at every opportunity */
    bool old_kernel;  /* debugging: do without what kernels since Linux 5.6 have brought */
    enum lunatic_log_level log_level; /* lines on standard error; one level for the whole program */
    bool raise_descriptors;  /* raise the program's soft limit of open descriptors to the hard one;
                                programs that the runtime starts get the old one */
    bool log_json;           /* each of them a JSON object with time, level, target and message */
    const char *dns_servers; /* "ADDRESS[:PORT],...": asked instead of those of /etc/resolv.conf;
                                NULL: those */
};
void lunatic_runtime_options_init(struct lunatic_runtime_options *o);

/* Starts a runtime with its threads. */
bool lunatic_runtime_new(const struct lunatic_runtime_options *options,
                         struct lunatic_runtime **out, struct lunatic_error *err);

/* Stops all environments and frees the runtime. Environments and modules must have been freed.
 * NULL is harmless. */
void lunatic_runtime_free(struct lunatic_runtime *rt);

/* Compiles a module. `bytes` are copied and may be WebAssembly's binary format only; `name` (may be
 * NULL) is for messages. */
bool lunatic_module_load(struct lunatic_runtime *rt, const void *bytes, size_t size,
                         const char *name, struct lunatic_module **out, struct lunatic_error *err);

/* The same from a file. One in text format (its name ends in .wat, or it begins with "(") is
 * converted by the program wat2wasm, if that is installed. */
bool lunatic_module_load_file(struct lunatic_runtime *rt, const char *path,
                              struct lunatic_module **out, struct lunatic_error *err);

/* Processes that use it go on. NULL is harmless. */
void lunatic_module_free(struct lunatic_module *m);

/* A directory of the host that guests may use. */
struct lunatic_dir {
    const char *host_path;
    const char *guest_path; /* NULL: the same */
    bool read_only;         /* nothing in it can be changed */
};

/* Where a process has written. */
enum lunatic_output {
    LUNATIC_OUTPUT_STDOUT = 1,
    LUNATIC_OUTPUT_STDERR = 2,
    LUNATIC_OUTPUT_REPORT = 3, /* not the process, but the runtime: that it failed, and where */
};

struct lunatic_environment_options {
    size_t size;             /* of this struct, set by _init */
    const char *const *args; /* of the guest, the program's name first */
    size_t arg_count;
    const char *const *variables; /* "NAME=value"; those without '=' or not UTF-8 are skipped */
    size_t variable_count;
    const struct lunatic_dir *dirs; /* one that cannot be opened is an error of the start */
    size_t dir_count;
    uint64_t memory_max; /* bytes of linear memory of a process; 0: 4 GiB - 1 */
    uint64_t fuel_max;   /* instructions of a process in units of 100,000; 0: no limit */
    uint64_t timeout_ms; /* of real time, after which it is stopped; 0: none */
    bool deny_compile;   /* processes may not compile modules */
    bool deny_configs;   /* nor create configurations (with other rights than their own) */
    bool deny_spawn;     /* nor spawn others */
    const char *entry;   /* the export to call; NULL: "_start" */
    /* Takes what the environment's processes write to standard output and error, and the log lines
     * about those that fail, instead of our own streams. Called on threads of the runtime, by
     * several at a time for different processes, in order for one; it must not wait for anything,
     * nor call functions of this header. `process` is 1 for the main process. Not called any more
     * when lunatic_environment_free has returned. NULL: our own streams. */
    void (*output)(void *context, uint64_t process, enum lunatic_output stream, const void *data,
                   size_t size);
    void *output_context;
    bool output_is_copied; /* our standard output (and the log) get the same besides */
    /* Limits; 0: the default, which docs/permissions.md names, UINT64_MAX: none. A process that
     * exceeds one of its CPU time or mailbox fails. */
    uint64_t cpu_max_ms;           /* CPU time of a process */
    uint64_t process_count_max;    /* processes of the environment */
    uint64_t mailbox_size_max;     /* bytes waiting in the mailbox of a process */
    uint64_t mailbox_count_max;    /* messages */
    uint64_t descriptor_count_max; /* files and sockets a process has open */
    uint64_t timer_count_max;      /* messages sent with a delay that are under way, of a process */
    /* Network rules, "[OPERATION,...=]HOST[:PORT[-PORT]]": what `deny_network` names is denied;
     * where some of `allow_network` are about an operation, only what they name is allowed. */
    const char *const *allow_network;
    size_t allow_network_count;
    const char *const *deny_network;
    size_t deny_network_count;
    const char *const
        *databases; /* paths below which SQLite databases may be; none: no such rule */
    size_t database_count;
};
void lunatic_environment_options_init(struct lunatic_environment_options *o);

/* Whether a text is a network rule, or a path for `databases`; false with words in `err`. */
bool lunatic_check_network_rule(const char *text, struct lunatic_error *err);
bool lunatic_check_database_path(const char *text, struct lunatic_error *err);

/* What lunatic_module_export tells. */
enum lunatic_export_kind {
    LUNATIC_EXPORT_FUNCTION,
    LUNATIC_EXPORT_TABLE,
    LUNATIC_EXPORT_MEMORY,
    LUNATIC_EXPORT_GLOBAL,
};

struct lunatic_export {
    const char *name; /* `name_size` bytes of UTF-8, the module's; no terminator follows them */
    size_t name_size;
    enum lunatic_export_kind kind;
};

/* Export number `index`, in the order of the module. False: it has no more. */
bool lunatic_module_export(const struct lunatic_module *m, size_t index,
                           struct lunatic_export *out);

/* How an environment ended. */
enum lunatic_exit_kind {
    LUNATIC_EXIT_NORMAL,  /* the entry function returned, or proc_exit was called */
    LUNATIC_EXIT_FAILED,  /* the main process trapped, or could not be started */
    LUNATIC_EXIT_KILLED,  /* it was killed, or a process it was linked to failed */
    LUNATIC_EXIT_STOPPED, /* lunatic_environment_stop */
    LUNATIC_EXIT_TIMEOUT, /* timeout_ms has passed */
    LUNATIC_EXIT_OUTPUT,  /* standard output or standard error cannot be written; see text */
    LUNATIC_EXIT_STUCK,   /* deterministic runs: every process waits for another */
};

struct lunatic_exit {
    enum lunatic_exit_kind kind;
    /* For exit(3): of proc_exit(n) the low 8 bits of n, but 1 if only those are 0; FAILED 134;
     * KILLED and STOPPED 137; TIMEOUT 124; OUTPUT and STUCK 1. */
    int status;
    char text[LUNATIC_ERROR_TEXT_MAX]; /* why, in one line; empty after a normal end */
};

/* Runs a program to its end and waits for that. False: it could not be started. Not on a thread of
 * the runtime. */
bool lunatic_runtime_run(struct lunatic_runtime *rt, struct lunatic_module *m,
                         const struct lunatic_environment_options *options,
                         struct lunatic_exit *how, struct lunatic_error *err);

/* The same in steps. Starts a program. */
bool lunatic_environment_start(struct lunatic_runtime *rt, struct lunatic_module *m,
                               const struct lunatic_environment_options *options,
                               struct lunatic_environment **out, struct lunatic_error *err);

/* Waits until it has ended, at most `timeout_ms` (UINT64_MAX: for ever). False: it has not. */
bool lunatic_environment_wait(struct lunatic_environment *e, uint64_t timeout_ms,
                              struct lunatic_exit *how);

/* Asks it to end: all its processes are killed. Returns at once. */
void lunatic_environment_stop(struct lunatic_environment *e);

/* Stops it if it still runs, waits for that, and frees it. NULL is harmless. Not on a thread of the
 * runtime. */
void lunatic_environment_free(struct lunatic_environment *e);

/* ---- looking at what runs ---- */

enum lunatic_process_state {
    LUNATIC_PROCESS_RUNNING,
    LUNATIC_PROCESS_READY,   /* could run, and waits for a thread */
    LUNATIC_PROCESS_WAITING, /* see wait */
};

#define LUNATIC_UNKNOWN UINT64_MAX

/* A process that lives. Texts are valid during the call; "" is "nothing" or "not known". */
struct lunatic_process_info {
    size_t size; /* of this struct; later versions may append fields */
    uint64_t environment_id;
    uint64_t id;
    enum lunatic_process_state state;
    /* What it waits for: message, sleep, file, poll, compilation, start (of a child), name (that
     * another process is spawning), turn. */
    const char *wait;
    const char *wait_details; /* "tagged 5, for 2.1 s more" */
    const char *function;     /* its innermost functions: "a < b < c" */
    const char *names;        /* in the registry: "\"a\" / \"b\"" */
    uint64_t queue_count;     /* messages that wait in its mailbox, */
    uint64_t queue_size;      /* and their bytes, overhead included */
    uint64_t links, monitors;
    uint64_t memory_size;    /* bytes of linear memory; LUNATIC_UNKNOWN */
    uint64_t memory_present; /* bytes of it that take real memory; LUNATIC_UNKNOWN */
    uint64_t cpu_ns;         /* CPU time it has used; LUNATIC_UNKNOWN */
};

/* How many processes live, in all environments. */
uint64_t lunatic_runtime_process_count(struct lunatic_runtime *rt);

/* False: no more, please. */
typedef bool lunatic_inspect_fn(void *context, const struct lunatic_process_info *info);

struct lunatic_inspect_options {
    size_t size;         /* of this struct, set by _init */
    uint64_t process_id; /* only this one, in every environment; 0: all */
    uint64_t detail_max; /* of later ones memory_present is not asked for */
    const struct lunatic_environment *environment; /* only its processes; NULL: all */
};
void lunatic_inspect_options_init(struct lunatic_inspect_options *o);

/* Calls `each` for every process that lives, by environment and number, without stopping them. What
 * is told may be a moment old, and processes that come or go meanwhile may be missed. Of those that
 * run or wait for a thread, the function is known only if they have got to tell within a moment; in
 * deterministic runs nothing but what costs them nothing. `each` may take its time; it must not
 * free environments. */
bool lunatic_runtime_inspect(struct lunatic_runtime *rt,
                             const struct lunatic_inspect_options *options,
                             lunatic_inspect_fn *each, void *context, struct lunatic_error *err);

/* ---- metrics ---- */

/* Takes all of the text; false: it does not want it. */
typedef bool lunatic_metrics_fn(void *context, const char *text, size_t size);

/* Calls `write` once with the metrics of the runtime and those that its guests have made, in the
 * text format of Prometheus (version 0.0.4). */
bool lunatic_runtime_metrics(struct lunatic_runtime *rt, lunatic_metrics_fn *write, void *context,
                             struct lunatic_error *err);

/* Shows them over HTTP, at /metrics of `address`, on a thread of its own until the runtime is
 * freed. "127.0.0.1:9927", "[::1]:9927", "localhost:0"; "*:9927" are all addresses; port 0 is one
 * that is free. Where it listens is written to `bound` (may be NULL; 64 bytes are enough). Once a
 * runtime. */
bool lunatic_runtime_serve_metrics(struct lunatic_runtime *rt, const char *address, char *bound,
                                   size_t bound_size, struct lunatic_error *err);

/* Whether a text is such an address; false with words in `err`. */
bool lunatic_check_metrics_address(const char *text, struct lunatic_error *err);

/* "0.1.0" */
const char *lunatic_version(void);

#ifdef __cplusplus
}
#endif

#endif
