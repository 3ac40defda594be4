/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The library behind <lunatic.h>. `lunatic cc` compiles it into every program.
 *
 * A child is a fresh instance entered at the export `lunatic_c_entry`. The runtime passes numbers
 * only, so an argument of up to 32 bytes travels in the parameters of the spawn, and a larger one
 * in a message tagged with a number that nothing else uses. A result returns in a message with that
 * tag. */
#include "internal.h"
#include <lunatic.h>
#include <lunatic/host.h>
#define LUNATIC_TEST_NO_MAIN
#include <lunatic/test.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_NAME   "lunatic_c_entry"
#define INLINE_WORDS 4
#define INLINE_SIZE  (INLINE_WORDS * sizeof(uint64_t))
#define CHECK_MS     1000 /* how often a wait looks whether the other side is alive */
#define LOCAL_NODE   0
#define PARAM_COUNT  (6 + INLINE_WORDS)
#define TAG_RANGE    LUN_FIRST_TAG_ /* tags above it; programs choose smaller ones by hand */
#define TAG_SPREAD   UINT64_C(0x9e3779b97f4a7c15) /* odd, so that processes begin far apart */

typedef void one_fn(const void *argument);
typedef void two_fn(const void *argument, void *result);

static char error_text[256];
static int64_t last_tag; /* 0: none was given out yet */

const char *lun_error_text(void)
{
    return error_text;
}

int64_t lun_new_tag(void)
{
    /* Each process counts in a range of its own, so a tag made here is no other process's either.
     */
    if (last_tag == 0)
        last_tag = TAG_RANGE | (int64_t)(lunatic_process_process_id() * TAG_SPREAD >> 3);
    return ++last_tag;
}

void lun_set_error_(const char *words)
{
    size_t size = strlen(words);

    if (size >= sizeof error_text)
        size = sizeof error_text - 1;
    memcpy(error_text, words, size);
    error_text[size] = '\0';
}

void lun_keep_error_(uint64_t id)
{
    uint32_t size = lunatic_error_string_size(id);
    char *words = malloc(size ? size : 1);

    error_text[0] = '\0';
    if (words) {
        size_t kept = size < sizeof error_text ? size : sizeof error_text - 1;

        lunatic_error_to_string(id, LUN_ADDRESS(words));
        memcpy(error_text, words, kept);
        error_text[kept] = '\0';
        free(words);
    }
    lunatic_error_drop(id);
}

static unsigned char *put_param(unsigned char *at, unsigned char type, uint64_t value)
{
    memset(at, 0, LUN_PARAM_SIZE);
    at[0] = type;
    memcpy(at + 1, &value, type == LUN_PARAM_I32 ? sizeof(uint32_t) : sizeof value);
    return at + LUN_PARAM_SIZE;
}

/* Spawns a child that runs `fn`. `link` is the link's tag, 0: not linked. `tag` is what a large
 * argument and the result bear. 0 if it failed. */
static lun_process spawn(enum lun_shape_ shape, lun_fn_ *fn, const void *data, size_t size,
                         size_t result_size, int64_t link, int64_t tag)
{
    unsigned char params[PARAM_COUNT * LUN_PARAM_SIZE], *at = params;
    uint64_t words[INLINE_WORDS] = {0}, id = 0;
    int i;

    if (size > 0 && size <= INLINE_SIZE)
        memcpy(words, data, size);
    at = put_param(at, LUN_PARAM_I32, shape);
    at = put_param(at, LUN_PARAM_I32, (uint32_t)(uintptr_t)fn);
    at = put_param(at, LUN_PARAM_I32, size);
    at = put_param(at, LUN_PARAM_I32, result_size);
    at = put_param(at, LUN_PARAM_I64, lunatic_process_process_id());
    at = put_param(at, LUN_PARAM_I64, (uint64_t)tag);
    for (i = 0; i < INLINE_WORDS; i++)
        at = put_param(at, LUN_PARAM_I64, words[i]);
    if (lunatic_process_spawn((uint64_t)link, LUN_OWN, LUN_OWN, LUN_ADDRESS(ENTRY_NAME),
                              sizeof ENTRY_NAME - 1, LUN_ADDRESS(params), sizeof params,
                              LUN_ADDRESS(&id)) != 0) {
        lun_keep_error_(id);
        return 0;
    }
    if (size > INLINE_SIZE)
        lun_send(id, tag, data, size);
    return id;
}

lun_process lun_spawn_(enum lun_shape_ shape, lun_fn_ *fn, const void *data, size_t size,
                       bool linked, int64_t tag)
{
    /* The runtime takes a link tag of 0 for "not linked". */
    if (linked && tag == 0)
        tag = lun_new_tag();
    return spawn(shape, fn, data, size, 0, linked ? tag : 0,
                 size > INLINE_SIZE ? lun_new_tag() : 0);
}

lun_process lun_spawn(lun_entry *fn, const void *data, size_t size)
{
    return lun_spawn_(LUN_BYTES_, (lun_fn_ *)fn, data, size, false, 0);
}

lun_process lun_spawn_link(lun_entry *fn, int64_t tag, const void *data, size_t size)
{
    return lun_spawn_(LUN_BYTES_, (lun_fn_ *)fn, data, size, true, tag);
}

lun_task lun_start_(lun_fn_ *fn, const void *data, size_t size, void *result, size_t result_size)
{
    lun_task task = {0, lun_new_tag(), result, result_size};

    task.process = spawn(LUN_TWO_, fn, data, size, result_size, task.tag, task.tag);
    return task;
}

int lun_wait(lun_task *task, uint64_t timeout_ms)
{
    lun_message message;
    uint64_t left = timeout_ms;
    bool alive = true;

    if (task->process == 0)
        return -LUN_ESPAWN;
    for (;;) {
        uint64_t slice = left < CHECK_MS ? left : CHECK_MS;

        if (lun_receive_tag(&message, task->tag, alive ? slice : 0) == 0)
            break;
        if (!alive)
            return -LUN_EDIED; /* it ended in good order, but without a result */
        alive = lun_exists(task->process);
        if (left != LUN_FOREVER)
            left -= slice;
        if (alive && left == 0)
            return -LUN_ETIMEOUT;
    }
    if (message.kind != LUN_DATA)
        return -LUN_EDIED;
    return lun_read_exactly(task->result, task->size);
}

void lun_receive_first_(lun_process from, int64_t tag, lun_message *message)
{
    bool alive = true;

    while (lun_receive_tag(message, tag, alive ? CHECK_MS : 0) != 0) {
        if (!alive)
            exit(0);
        alive = lun_exists(from);
    }
    if (message->kind != LUN_DATA)
        abort();
}

/* Fetches an argument that came as a message. */
static void receive_argument(lun_process parent, int64_t tag, void *data, size_t size)
{
    lun_message message;

    lun_receive_first_(parent, tag, &message);
    if (lun_read_exactly(data, size) != 0)
        abort();
}

void *lun_new_buffer_(size_t size)
{
    void *p = malloc(size);

    if (!p)
        abort();
    return p;
}

#ifdef LUN_CALLS_CONSTRUCTORS
/* A C library whose _start runs constructors itself keeps the linker from doing so for every
 * export. */
void __wasm_call_ctors(void);
void __wasm_call_dtors(void);
#endif

__attribute__((export_name(ENTRY_NAME))) void
lunatic_c_entry(uint32_t shape, uint32_t fn, uint32_t size, uint32_t result_size, uint64_t parent,
                int64_t tag, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3)
{
    uint64_t words[INLINE_WORDS] = {w0, w1, w2, w3};
    void *argument = words, *result = NULL;

#ifdef LUN_CALLS_CONSTRUCTORS
    __wasm_call_ctors();
#endif
    if (size > INLINE_SIZE) {
        argument = size <= LUN_STACK_BUFFER_MAX_ ? __builtin_alloca_with_align(size, 128)
                                                 : lun_new_buffer_(size);
        receive_argument(parent, tag, argument, size);
    }
    switch (shape) {
    case LUN_BYTES_:
        ((lun_entry *)(uintptr_t)fn)(argument, size);
        break;
    case LUN_ONE_:
        ((one_fn *)(uintptr_t)fn)(argument);
        break;
    default:
        result = result_size <= LUN_STACK_BUFFER_MAX_
                     ? __builtin_alloca_with_align(result_size, 128)
                     : lun_new_buffer_(result_size);
        memset(result, 0, result_size);
        ((two_fn *)(uintptr_t)fn)(argument, result);
        lun_send(parent, tag, result, result_size);
        break;
    }
#ifdef LUN_CALLS_CONSTRUCTORS
    __wasm_call_dtors();
#endif
}

lun_process lun_self(void)
{
    return lunatic_process_process_id();
}

void lun_sleep(uint64_t time_ms)
{
    lunatic_process_sleep_ms(time_ms);
}

_Noreturn void lun_exit(int status)
{
    exit(status);
}

void lun_die_with_links(bool die)
{
    lunatic_process_die_when_link_dies(die);
}

void lun_link(lun_process process, int64_t tag)
{
    lunatic_process_link((uint64_t)tag, process);
}

void lun_unlink(lun_process process)
{
    lunatic_process_unlink(process);
}

void lun_monitor(lun_process process)
{
    lunatic_process_monitor(process);
}

void lun_unmonitor(lun_process process)
{
    lunatic_process_stop_monitoring(process);
}

void lun_kill(lun_process process)
{
    lunatic_process_kill(process);
}

bool lun_exists(lun_process process)
{
    return lunatic_process_exists(process) != 0;
}

void lun_build_(int64_t tag, const void *data, size_t size)
{
    lunatic_message_create_data((uint64_t)tag, size);
    if (size > 0)
        lunatic_message_write_data(LUN_ADDRESS(data), size);
}

void lun_send(lun_process process, int64_t tag, const void *data, size_t size)
{
    lun_build_(tag, data, size);
    lunatic_message_send(process);
}

uint64_t lun_send_after(lun_process process, int64_t tag, const void *data, size_t size,
                        uint64_t delay_ms)
{
    lun_build_(tag, data, size);
    return lunatic_timer_send_after(process, delay_ms);
}

bool lun_cancel(uint64_t timer)
{
    return lunatic_timer_cancel_timer(timer) != 0;
}

int lun_receive_tags(lun_message *message, const int64_t *tags, size_t count, uint64_t timeout_ms)
{
    uint32_t kind = lunatic_message_receive(LUN_ADDRESS(tags), count, timeout_ms);

    if (kind == LUN_TIMEOUT)
        return -LUN_ETIMEOUT;
    message->kind = (enum lun_kind)kind;
    message->tag = (int64_t)lunatic_message_get_tag();
    message->process = kind == LUN_PROCESS_DIED ? lunatic_message_get_process_id() : 0;
    message->size = kind == LUN_DATA ? (size_t)lunatic_message_data_size() : 0;
    return 0;
}

int lun_receive(lun_message *message, uint64_t timeout_ms)
{
    return lun_receive_tags(message, NULL, 0, timeout_ms);
}

int lun_receive_tag(lun_message *message, int64_t tag, uint64_t timeout_ms)
{
    return lun_receive_tags(message, &tag, 1, timeout_ms);
}

size_t lun_read(void *data, size_t size)
{
    return lunatic_message_read_data(LUN_ADDRESS(data), size);
}

int lun_read_exactly(void *data, size_t size)
{
    char more;

    return lun_read(data, size) == size && lun_read(&more, 1) == 0 ? 0 : -LUN_ESIZE;
}

void lun_register(const char *name, lun_process process)
{
    lunatic_registry_put(LUN_ADDRESS(name), strlen(name), LOCAL_NODE, process);
}

void lun_unregister(const char *name)
{
    lunatic_registry_remove(LUN_ADDRESS(name), strlen(name));
}

int lun_lookup(const char *name, lun_process *process)
{
    uint64_t node, id;

    if (lunatic_registry_get(LUN_ADDRESS(name), strlen(name), LUN_ADDRESS(&node),
                             LUN_ADDRESS(&id)) != 0)
        return -LUN_ENONE;
    *process = id;
    return 0;
}

/* ---- <lunatic/test.h> ---- */

void lun_test_begin_(void)
{
#ifdef LUN_CALLS_CONSTRUCTORS
    __wasm_call_ctors();
#endif
    setvbuf(stdout, NULL, _IOLBF, 0); /* what has been printed is not lost in a trap */
}

void lun_test_end_(void)
{
#ifdef LUN_CALLS_CONSTRUCTORS
    __wasm_call_dtors();
#endif
}

/* In the form in which Rust reports a panic, which `lunatic test` knows. */
_Noreturn void lun_test_fail_(const char *file, int line, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "thread 'process %llu' panicked at %s:%d:1:\n", (unsigned long long)lun_self(),
            file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    __builtin_trap();
}

void lun_test_equal_(const char *file, int line, const char *words, long long actual,
                     long long expected)
{
    if (actual != expected)
        lun_test_fail_(file, line, "not true: %s\n  left: %lld\n right: %lld", words, actual,
                       expected);
}

void lun_test_text_(const char *file, int line, const char *words, const char *actual,
                    const char *expected)
{
    if (strcmp(actual, expected) != 0)
        lun_test_fail_(file, line, "not true: %s\n  left: \"%s\"\n right: \"%s\"", words, actual,
                       expected);
}

int lun_test_main_(void)
{
    fputs("this program consists of tests: run them with 'lunatic test'\n", stderr);
    return 2;
}
