/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A decoded WebAssembly 2.0 module: plain data in one arena, made by module_decode and checked by
 * module_validate. Names and bodies point into the module's own copy of its bytes.
 *
 * Index spaces are those of the specification: imports come first. The arrays `functions`,
 * `tables`, `memories` and `globals` describe whole index spaces, imported entries included. */
#ifndef WASM_MODULE_H
#define WASM_MODULE_H

#include "base/bytes.h"
#include "base/error.h"
#include "wasm/limits.h"
#include <stdatomic.h>

/* Value types, by their binary encoding (spec 5.3.1 to 5.3.4). */
enum valtype {
    VALTYPE_I32 = 0x7f,
    VALTYPE_I64 = 0x7e,
    VALTYPE_F32 = 0x7d,
    VALTYPE_F64 = 0x7c,
    VALTYPE_V128 = 0x7b,
    VALTYPE_FUNCREF = 0x70,
    VALTYPE_EXTERNREF = 0x6f,
};

enum externkind { EXTERN_FUNC = 0, EXTERN_TABLE = 1, EXTERN_MEMORY = 2, EXTERN_GLOBAL = 3 };

struct functype {
    uint32_t param_count, result_count;
    const uint8_t *params;  /* enum valtype */
    const uint8_t *results; /* enum valtype */
};

struct limits {
    uint32_t min, max; /* pages or elements; max is valid if has_max */
    bool has_max;
};

/* A constant expression: one of the few forms, decoded; extended constants are kept as code. */
enum constexpr_kind {
    CONSTEXPR_VALUE,      /* .bits: i32/i64/f32/f64.const, zero-extended bit pattern */
    CONSTEXPR_GLOBAL_GET, /* .index */
    CONSTEXPR_REF_NULL,
    CONSTEXPR_REF_FUNC, /* .index */
    CONSTEXPR_V128,     /* .code points at the 16 bytes */
    CONSTEXPR_CODE,     /* .code: i32/i64 add, sub, mul over the others, `end` included */
};

struct constexpr_ {
    enum constexpr_kind kind;
    uint32_t index;
    uint64_t bits;
    struct slice code; /* the whole expression, the final `end` included (V128: the 16 bytes) */
};

struct function_decl {
    uint32_t type; /* index into types */
};
struct table_decl {
    uint8_t type; /* VALTYPE_FUNCREF or VALTYPE_EXTERNREF */
    struct limits limits;
};
struct memory_decl {
    struct limits limits; /* pages */
};
struct global_decl {
    uint8_t type; /* enum valtype */
    bool is_mutable;
    struct constexpr_ init; /* of defined globals */
};

struct import {
    struct slice module, name;
    enum externkind kind;
    uint32_t index; /* in the index space of its kind */
};
struct export_ {
    struct slice name;
    enum externkind kind;
    uint32_t index;
};

enum segment_mode { SEGMENT_PASSIVE, SEGMENT_ACTIVE, SEGMENT_DECLARATIVE };

struct elem_segment {
    enum segment_mode mode;
    uint8_t type; /* reference type of the elements */
    uint32_t table;
    struct constexpr_ offset; /* of active segments */
    uint32_t count;
    const struct constexpr_ *items;
};
struct data_segment {
    enum segment_mode mode;
    uint32_t memory;
    struct constexpr_ offset; /* of active segments */
    struct slice bytes;
};

struct local_group {
    uint32_t count;
    uint8_t type;
};

/* A function body (the code section's entry of a defined function). */
struct body {
    struct slice code; /* instructions, the final `end` included */
    uint32_t offset;   /* of code.data in the module's bytes, for messages and backtraces */
    uint32_t group_count;
    const struct local_group *groups; /* declared locals, run-length */
    uint32_t local_count;             /* parameters included; <= FUNCTION_LOCALS_MAX */
    /* Filled in by module_validate: */
    uint32_t stack_max; /* most operand values that can be on the stack, <= OPERANDS_MAX */
    uint32_t label_max; /* deepest nesting of labels, the function's own included */
    bool has_calls;     /* call, call_indirect, memory.grow or any other instruction that leaves */
    bool uses_v128;     /* an instruction, local or block type names v128 */
    uint32_t v128_offset; /* in the module's bytes, of the first such instruction or local */
};

struct name_entry {
    uint32_t index;
    struct slice name;
};

struct custom_section {
    struct slice name, bytes;
};

struct module {
    struct slice bytes; /* owned */

    uint32_t type_count, import_count, function_count, table_count, memory_count, global_count;
    uint32_t export_count, elem_count, data_count, body_count, custom_count;
    uint32_t imported_functions, imported_tables, imported_memories, imported_globals;

    const struct functype *types;
    const struct import *imports;
    const struct function_decl *functions; /* imported_functions + body_count == function_count */
    const struct table_decl *tables;
    const struct memory_decl *memories;
    const struct global_decl *globals;
    const struct export_ *exports;
    const struct elem_segment *elems;
    const struct data_segment *datas;
    struct body *bodies; /* body i belongs to function imported_functions + i */

    bool has_start, has_data_count;
    uint32_t start; /* function index; valid if has_start */
    uint32_t data_count_section;

    const struct custom_section *customs; /* in the order of the file */
    const struct export_ *const
        *exports_by_name;        /* all exports, ordered by the bytes of their names */
    uint8_t *declared_functions; /* bit per function: ref.func may name it (spec 3.4.10: C.refs) */

    /* From the custom section "name"; empty if it is missing or malformed (which is no error). */
    uint32_t function_name_count;
    const struct name_entry *function_names; /* by ascending index */
    struct slice module_name;

    uint64_t list_values_max;      /* LIST_VALUES_PER_BYTE */
    _Atomic(uint64_t) list_values; /* moved by lists in the bodies that have been looked at */

    void *arena; /* wasm/internal.h */
};

/* Decodes a binary module (spec 5). Takes over `bytes` whatever happens: on success the module owns
 * them, on failure they are freed. On failure returns false with one line in `err`: what is wrong,
 * in which section or function, at which byte offset. Any thread. */
bool module_decode(struct bytes *bytes, struct module **out, struct error *err) MUST_USE;

/* Checks the module against spec 3 and fills in what the compilers need (struct body). Time is
 * linear in the module's size, of what it takes and of what compilers will take. Errors name the
 * function, by index and name, and the byte offset. */
bool module_validate(struct module *m, struct error *err) MUST_USE;

/* Bytes of memory that a decoded module takes. */
size_t module_memory(const struct module *m);

void module_free(struct module *m); /* NULL is harmless */

static inline const struct functype *module_function_type(const struct module *m, uint32_t function)
{
    return &m->types[m->functions[function].type];
}

/* The function's name from the name section, else its first export's, else an empty slice. */
struct slice module_function_name(const struct module *m, uint32_t function);

/* The export of that kind and name, or NULL. Logarithmic time, whatever the names. */
const struct export_ *module_export(const struct module *m, struct slice name,
                                    enum externkind kind);

/* Evaluates are the vm's business; equality of types is structural (spec 2.3.5). */
bool functype_equal(const struct functype *a, const struct functype *b);

/* "(i32, i64) -> (f32)" into `text`; cut if too long. Returns text. */
const char *functype_text(const struct functype *t, char *text, size_t size);
const char *valtype_name(uint8_t type); /* "i32"..., "?" */

/* A name that a module chose, fit for a terminal and for the inside of quotes: what is not UTF-8 or
 * would not be drawn is escaped (\x9b, \u{202e}), and a long one is cut, with three dots. Returns
 * text. */
const char *name_text(struct slice name, char *text, size_t size);

#endif
