/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Private to the validator's files: the state of checking one body, after the algorithm in the
 * specification's appendix 7.3.
 *
 * The operand stack is an array of value types, one byte each; 0 stands for a value of unknown
 * type, which only unreachable code has. A few bytes in front of the bottom may be read, never
 * written. */
#ifndef WASM_VALIDATOR_H
#define WASM_VALIDATOR_H

#include "base/vec.h"
#include "wasm/internal.h"
#include "wasm/validate.h"

#define UNKNOWN       0
#define STACK_PADDING 8
#define NO_STAMP      UINT32_MAX

/* An instruction's row as the hot loop wants it. An operand check is one comparison of the four
 * topmost bytes of the stack under a mask. */
struct row {
    uint32_t pattern, mask;
    uint8_t pops, pushes, result;
    uint8_t align; /* largest exponent that the instruction's access allows */
    uint8_t lanes; /* lane indices must be below */
    uint8_t immediate;
    bool is_plain; /* typed by its row */
    bool leaves;   /* may call C code or another function */
    uint8_t types[4];
};

/* A block that is open (spec: control frame). */
struct label {
    const uint8_t *params, *results;
    uint32_t param_count, result_count;
    uint32_t height; /* of the operand stack at entry, parameters popped */
    uint32_t type;   /* index of its function type; NO_STAMP: it has none */
    uint8_t opcode;  /* OP_BLOCK (also of the function), OP_LOOP, OP_IF, OP_ELSE */
    bool is_unreachable;
};

struct validator {
    struct module *m;
    struct error *err;
    struct row rows[OP_SLOT_COUNT];
    uint8_t *type_uses_v128;                /* by type index */
    uint32_t *param_stamps, *result_stamps; /* by type index: the last br_table that checked them */
    uint32_t stamp;

    /* The body at hand. */
    struct body *body;
    uint32_t function;
    const struct functype *type;
    struct reader r;
    const uint8_t *at; /* the instruction at hand */
    uint8_t *locals;   /* types of the first `locals_known`, parameters included */
    uint32_t locals_known, locals_capacity;
    VEC(uint32_t) group_starts; /* first local of each group; filled if not all locals are known */

    uint8_t *stack, *stack_end; /* stack_end: OPERANDS_MAX above the bottom */
    uint8_t *sp;                /* next free byte */
    uint8_t *base;              /* bottom of the innermost label: stack + its height */
    uint8_t *high;              /* highest sp so far */
    uint64_t list_values;       /* moved by lists so far, in this body */
    uint64_t list_values_max;   /* what other bodies have left of the module's */
    VEC(struct label) labels;   /* the last is the innermost; label 0 is the function's */
    uint32_t label_max;
};

static inline struct label *innermost(struct validator *v)
{
    return &v->labels.items[v->labels.count - 1];
}

/* Reports with function and offset of the instruction at hand; returns false. */
bool check_fail(struct validator *v, enum error_code code, const char *what, ...) PRINTF_LIKE(3, 4);

/* The type of local `index`, or 0 if there is none. */
uint8_t local_type(struct validator *v, uint32_t index);

/* Operand stack: take one of a type (UNKNOWN: of any, returned in *actual), take many, put many. */
bool pop(struct validator *v, uint8_t expected, uint8_t *actual) MUST_USE;
bool pop_many(struct validator *v, const uint8_t *types, uint32_t count) MUST_USE;
bool push_many(struct validator *v, const uint8_t *types, uint32_t count) MUST_USE;
bool push(struct validator *v, uint8_t type) MUST_USE;

/* Counts `count` values that the instruction at hand moves by a list (LIST_VALUES_PER_BYTE). */
bool count_list(struct validator *v, uint32_t count) MUST_USE;

/* Notes that the instruction at hand names v128. */
void note_v128(struct validator *v);

/* Checks an instruction that is typed by its context. */
bool check_control(struct validator *v, const struct instr *in) MUST_USE;
bool check_variable(struct validator *v, const struct instr *in) MUST_USE;

/* Opens a block, its parameters already popped. */
bool label_open(struct validator *v, uint8_t opcode, uint32_t type_index,
                const struct functype *type) MUST_USE;

#endif
