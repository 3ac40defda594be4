/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The host functions that the benchmarks call directly, below any guest library: the same programs
 * run on the original runtime. */
#ifndef BENCH_ABI_H
#define BENCH_ABI_H

#include <stdint.h>
#include <time.h>

#define IMPORT(module, name) __attribute__((import_module("lunatic::" module), import_name(name)))
#define EXPORT(name)         __attribute__((export_name(name), used))

IMPORT("process", "spawn")
int32_t process_spawn(int64_t link, int64_t config, int64_t module, const char *function,
                      uint32_t function_size, const void *params, uint32_t params_size,
                      uint64_t *id);
IMPORT("process", "process_id") uint64_t process_id(void);
IMPORT("process", "sleep_ms") void process_sleep_ms(uint64_t ms);
IMPORT("message", "create_data") void message_create_data(int64_t tag, uint64_t capacity);
IMPORT("message", "write_data") uint32_t message_write_data(const void *data, uint32_t size);
IMPORT("message", "read_data") uint32_t message_read_data(void *data, uint32_t size);
IMPORT("message", "seek_data") void message_seek_data(uint64_t index);
IMPORT("message", "send") int32_t message_send(uint64_t process);
IMPORT("message", "receive")
int32_t message_receive(const int64_t *tags, uint32_t tag_count, uint64_t timeout_ms);

#define FOREVER UINT64_MAX

/* One parameter of `spawn`: a type byte and the value in 16 bytes. */
struct __attribute__((packed)) param {
    uint8_t type;
    uint64_t value, high;
};

static inline uint64_t spawn1(const char *function, uint32_t size, uint64_t value)
{
    struct param p = {0x7e, value, 0};
    uint64_t id = 0;

    if (process_spawn(0, -1, -1, function, size, &p, sizeof(p), &id))
        __builtin_trap();
    return id;
}
#define SPAWN(function, value) spawn1(function, sizeof(function) - 1, value)

static inline void send_u64(uint64_t to, uint64_t value)
{
    message_create_data(0, 8);
    message_write_data(&value, 8);
    message_send(to);
}

static inline uint64_t receive_u64(void)
{
    uint64_t value = 0;

    message_receive(0, 0, FOREVER);
    message_read_data(&value, 8);
    return value;
}

static inline uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

#endif
