/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Assembles binary modules for tests: bytes by hand, lengths filled in. */
#ifndef TEST_WASM_BUILD_H
#define TEST_WASM_BUILD_H

#include "base/bytes.h"
#include "wasm/module.h"

enum {
    CUSTOM,
    TYPE,
    IMPORT,
    FUNCTION,
    TABLE,
    MEMORY,
    GLOBAL,
    EXPORT,
    START,
    ELEMENT,
    CODE,
    DATA,
    DATA_COUNT
};

/* Appends bytes given as numbers. */
#define PUT(b, ...) put((b), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
void put(struct bytes *b, const void *data, size_t size);
void put_leb(struct bytes *b, uint64_t value);
void put_name(struct bytes *b, const char *name);
void put_many(struct bytes *b, uint8_t byte, size_t count);

/* A module's header. */
void put_header(struct bytes *b);

/* Appends a section, or a body (id -1), and empties `content`. */
void put_section(struct bytes *b, int id, struct bytes *content);
#define SECTION(b, id, ...)                                                                        \
    do {                                                                                           \
        struct bytes content_ = {0};                                                               \
        PUT(&content_, __VA_ARGS__);                                                               \
        put_section((b), (id), &content_);                                                         \
    } while (0)

/* A module of one function of type () -> () with this code, `end` included; a memory of one page, a
 * table of one funcref, a mutable global of i32. Takes and empties `code`. */
struct bytes module_of_code(struct bytes *code);
#define MODULE_OF(...)                                                                             \
    module_of_bytes((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
struct bytes module_of_bytes(const void *code, size_t size);

/* Offset in module_of_code's result of the first instruction, if the code is shorter than 100
 * bytes. */
size_t module_code_offset(void);

/* Decodes and validates; takes and empties `bytes`. NULL: `err` says why. */
struct module *check_module(struct bytes *bytes, struct error *err);

/* Whether the module is refused with this code and this text. Takes and empties `bytes`. */
bool refused(struct bytes *bytes, enum error_code code, const char *text);

/* Whether it is accepted. Takes and empties `bytes`. */
bool accepted(struct bytes *bytes);

#endif
