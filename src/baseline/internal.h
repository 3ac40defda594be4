/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of the baseline compiler share: the state of the body being compiled.
 *
 * One `struct fn` per thread is reused from body to body. Values on the wasm operand stack are
 * lazy: constants, copies of locals, and the flags of a comparison cost nothing until somebody
 * needs them. Locals live in registers ("cached") where there is room; `dirty` says that the frame
 * slot is out of date. Where control flow meets (merge.c), the first branch to a label decides
 * where the locals are, and the others move theirs there; loops choose ahead, by a scan of the body
 * (scan.c). */
#ifndef BASELINE_INTERNAL_H
#define BASELINE_INTERNAL_H

#include "base/error.h"
#include "base/vec.h"
#include "baseline/baseline.h"
#include "baseline/masm.h"
#include "vm/code.h"
#include "vm/convention.h"
#include "vm/instance.h"
#include "vm/trap.h"
#include "wasm/code.h"
#include "wasm/module.h"

/* Registers that values may live in. Temporaries come from the low end, locals from the high end.
 */
#define GPR_ALL                                                                                    \
    (BIT(RAX) | BIT(RCX) | BIT(RDX) | BIT(RBX) | BIT(RBP) | BIT(RSI) | BIT(RDI) | BIT(R8) |        \
     BIT(R9) | BIT(R10) | BIT(R12))
#define GPR_TEMPS (BIT(RAX) | BIT(RCX) | BIT(RDX)) /* never the home of a loop's local */
#define GPR_HOMES (GPR_ALL & ~GPR_TEMPS)
#define XMM_ALL   UINT32_C(0x7fff0000)
#define XMM_TEMPS UINT32_C(0x000f0000)
#define XMM_HOMES (XMM_ALL & ~XMM_TEMPS)

#define INT_ARGS   8
#define FLOAT_ARGS 8
extern const uint8_t int_args[INT_ARGS]; /* registers of the convention */

#define NONE         UINT32_MAX
#define SLOT_NONE    INT32_MIN
#define PROLOGUE_MAX 32u /* bytes kept free before each body */
#define HEADROOM     256 /* bytes of STACK_RESERVE that a frame may use unasked */

enum value_kind { VAL_CONST, VAL_REG, VAL_LOCAL, VAL_SLOT, VAL_FLAGS };

/* A value of the operand stack. */
struct value {
    uint8_t kind, type; /* type: enum valtype */
    uint8_t reg;        /* VAL_REG: owned */
    uint8_t cond;       /* VAL_FLAGS: enum cond; only on top, consumed by the next instruction */
    int32_t slot;       /* VAL_SLOT: of the frame */
    union {
        uint64_t bits; /* VAL_CONST */
        struct {
            uint32_t local; /* VAL_LOCAL: its value now; a set of the local materialises first */
            int32_t prev;   /* the entry below that names the same local; -1: none */
        };
    };
};

#define LOCAL_NEEDS_ZERO 1 /* may be read before it is set */
#define LOCAL_SEEN       2 /* the scan has met it */

/* Fields are valid if `stamp` is that of the body. */
struct local {
    uint32_t stamp;
    uint32_t version;   /* counts the sets */
    int32_t alias;      /* topmost stack entry of kind VAL_LOCAL; -1: none */
    int32_t slot;       /* >= 0: in the frame; <= -2: stack parameter -2 - slot; or SLOT_NONE */
    uint32_t last_use;  /* scan: offset of the last access in the text */
    uint32_t first_set; /* scan: the set that comes before all reads; 0 if none does */
    uint32_t block;     /* scan: the block of `first_set` */
    uint32_t loop, loop_entry; /* scan: place in the list of the innermost loop */
    uint8_t reg;               /* NOREG: in memory */
    uint8_t home;              /* register to prefer in the current loop, or NOREG */
    uint8_t type, flags;
};

/* Where the locals are: what meets at labels. */
struct state {
    uint32_t local[REG_COUNT]; /* valid where `used` has the bit */
    uint32_t used, dirty;
    bool memory_valid; /* r13 and r14 hold the memory's length and base */
};

enum label_kind { LABEL_BLOCK, LABEL_LOOP, LABEL_IF, LABEL_ELSE, LABEL_FUNCTION };

struct label {
    uint8_t kind;
    bool has_target; /* `target` is decided */
    bool is_reached; /* somebody branches to it */
    bool has_else;   /* scan: an else follows */
    uint32_t height; /* of the stack below the parameters */
    uint32_t param_count, result_count;
    const uint8_t *params, *results;
    uint32_t fixups;       /* chain of forward jumps through their 4 bytes; 0: end */
    uint32_t else_fixups;  /* the same of the condition of an if */
    uint32_t table_fixups; /* chain in fn.table_fixups, by index + 1 */
    uint32_t pos;          /* of a loop's header */
    uint32_t check_mark;   /* checks from this ordinal on are inside */
    uint32_t trampoline_serial, trampoline; /* of br_table */
    uint32_t loop;                          /* index of its struct loop */
    struct state target;
    struct state else_state;
};

/* What the scan knows of a loop. */
struct loop {
    uint32_t first_use, use_count;
    bool has_calls, uses_memory, is_cut; /* is_cut: more locals than were noted */
};
struct loop_use {
    uint32_t local;
    uint32_t weight : 31, is_written : 1;
};

/* An available bounds check: addresses local + [0, end) are inside the memory. */
struct check {
    uint32_t local, version;
    uint64_t end;
    uint32_t patch; /* position of the displacement to widen; 0: cannot be */
    uint32_t epoch, ordinal;
};
#define CHECKS 8

struct trap_fixup {
    uint32_t at, offset; /* the jump's 4 bytes; the instruction in the body */
    uint32_t kind;
};
struct table_fixup {
    uint32_t at, table, next;
};
struct literal_fixup {
    uint32_t at, index;
};
/* A jump or call out of the function, filled in when all places are known. */
struct reloc {
    uint32_t at;
    uint32_t target; /* a function index, or RELOC_STUB | offset in the block */
};
#define RELOC_STUB UINT32_C(0x80000000)

enum { LITERAL_ABS32, LITERAL_SIGN32, LITERAL_ABS64, LITERAL_SIGN64, LITERAL_FIRST };

/* Offsets of the stubs in the block. */
struct stubs {
    uint32_t trap[TRAP_COUNT], fuel, grow, builtin[BUILTIN_COUNT];
};

struct fn {
    struct masm m; /* first: all functions of the range, one behind the other */
    const struct module *module;
    const struct baseline_options *options;
    const struct stubs *stubs;
    struct error *err;
    bool failed;              /* memory is gone (not the masm's) */
    const uint32_t *type_ids; /* canonical, by type index */

    /* The body. */
    uint32_t index; /* in the function index space */
    const struct body *body;
    const struct functype *type;
    const uint8_t *code, *ip; /* its bytes; behind the current instruction */
    uint32_t pos;             /* of the current instruction in `code` */
    uint32_t start;           /* position of its first byte in `m` */
    uint32_t stamp;
    bool has_calls;

    /* Locals, stack, registers. */
    struct local *locals;
    size_t local_capacity;
    VEC(uint32_t) group_ends; /* index behind each group of declared locals */
    struct value *stack;
    int32_t *stack_slots; /* frame slot by height, SLOT_NONE until needed */
    size_t stack_capacity;
    uint32_t height;
    uint32_t flushed; /* entries below hold no register, flags or local */
    uint32_t slot_count;
    uint32_t push_bytes; /* pushed now, for an outgoing call */
    uint32_t push_max;
    uint32_t used, dirty, pinned;  /* masks of registers */
    uint32_t reg_local[REG_COUNT]; /* NONE */
    uint32_t reg_stack[REG_COUNT]; /* NONE */
    unsigned evict_next;
    bool memory_valid;
    bool flags_live; /* do not touch the flags */

    /* Control. */
    VEC(struct label) labels;
    VEC(uint32_t) open_loops;  /* label indices */
    VEC(uint32_t) loop_starts; /* offsets in the body, of the open loops */
    uint32_t next_loop, next_if;
    bool unreachable;
    bool falls_out; /* the code before the epilogue runs into it */
    uint32_t trampoline_serial;
    uint32_t epilogue_fixups;
    VEC(struct table_fixup) table_fixups;
    VEC(struct trap_fixup) traps;
    VEC(struct literal_fixup) literal_fixups;
    VEC(uint64_t) literals;
    VEC(uint32_t) param_fixups; /* displacements of stack parameters, to be raised by the frame */
    VEC(uint32_t) fuel_fixups;  /* pairs: jump's 4 bytes, position to return to */

    /* Checks. */
    struct check checks[CHECKS];
    unsigned check_next;
    uint32_t epoch, check_ordinal;

    /* Fuel. */
    uint32_t fuel_patch, fuel_cost; /* fuel_patch 0: no open piece */

    /* Scan. */
    VEC(struct loop) loops;
    VEC(struct loop_use) uses;
    VEC(struct loop_use) open_uses;
    VEC(uint32_t) scan_blocks;
    VEC(uint32_t) scan_loops; /* pairs: loop, first of its open_uses */
    VEC(uint32_t) scan_ifs;   /* per open block: its index in `ifs` + 1; NONE: a loop; else 0 */
    VEC(uint8_t) ifs;
    VEC(uint32_t) zero_locals;

    /* Results of the range. */
    VEC(struct reloc) relocs;
    VEC(struct code_site) sites;
    VEC(struct code_range) ranges;
    VEC(uint32_t) entries;
};

/* Fast readers: the bytes are validated. */
static inline uint32_t read_u32(struct fn *f)
{
    uint32_t v = *f->ip++, shift = 7;

    if (LIKELY(v < 0x80))
        return v;
    v &= 0x7f;
    for (;;) {
        uint32_t b = *f->ip++;

        v |= (b & 0x7f) << shift;
        if (b < 0x80)
            return v;
        shift += 7;
    }
}

static inline int64_t read_s64(struct fn *f)
{
    uint64_t v = 0;
    uint32_t shift = 0, b;

    do {
        b = *f->ip++;
        v |= (uint64_t)(b & 0x7f) << shift;
        shift += 7;
    } while (b & 0x80);
    if (shift < 64 && (b & 0x40))
        v |= ~UINT64_C(0) << shift;
    return (int64_t)v;
}

static inline bool type_is_float(uint8_t type)
{
    return type == VALTYPE_F32 || type == VALTYPE_F64;
}
static inline bool type_is_wide(uint8_t type)
{
    return type != VALTYPE_I32 && type != VALTYPE_F32;
}
static inline uint32_t type_class(uint8_t type)
{
    return type_is_float(type) ? XMM_ALL : GPR_ALL;
}

static inline uint64_t type_truncate(uint8_t type, uint64_t bits)
{
    return type == VALTYPE_I32 ? (uint32_t)bits : bits;
}

/* locals.c, regcache.c */
struct local *fn_local(struct fn *f, uint32_t index); /* set up on first touch */
struct mem fn_slot(struct fn *f, int32_t slot);
void fn_load_slot(struct fn *f, bool w, reg dst, int32_t slot);
void fn_store_slot(struct fn *f, bool w, int32_t slot, reg src);
int32_t fn_new_slot(struct fn *f);
int32_t fn_stack_slot(struct fn *f, uint32_t height);
bool local_is_dead(struct fn *f, uint32_t index); /* no path from here reads it */
void local_spill(struct fn *f, reg r);  /* writes a dirty local to its slot; stays cached */
void local_unbind(struct fn *f, reg r); /* forgets the copy in the register */
void local_bind(struct fn *f, uint32_t index, reg r, bool dirty);
int32_t local_slot(struct fn *f, uint32_t index);

reg reg_alloc(struct fn *f, uint32_t mask);      /* any of the class, evicting; a temporary */
reg reg_alloc_high(struct fn *f, uint32_t mask); /* the same from the other end */
void reg_want(struct fn *f, reg r);              /* this one, evicting who is there */
void reg_free(struct fn *f, reg r);

void stack_push(struct fn *f, struct value v);
void stack_push_const(struct fn *f, uint8_t type, uint64_t bits);
void stack_push_reg(struct fn *f, uint8_t type, reg r); /* takes the temporary */
void stack_push_local(struct fn *f, uint32_t index);
void stack_push_slot(struct fn *f, uint8_t type, int32_t slot);
struct value stack_pop(struct fn *f);
void stack_flush(struct fn *f); /* all entries to constants and slots */
void stack_drop_to(struct fn *f, uint32_t height);
void stack_save_below(struct fn *f, uint32_t height); /* entries below it leave their registers */

reg value_use(struct fn *f, struct value *v); /* a register to read from */
reg value_own(struct fn *f, struct value *v); /* a register to change; the value becomes VAL_REG */
void value_move(struct fn *f, struct value *v, reg dst); /* into this register; v is done with */
void value_done(struct fn *f, struct value *v);
bool value_imm(const struct value *v, int32_t *out); /* a constant fit for an immediate */
/* A register for the result: that of the local which the next instruction sets, else `reuse`'s own,
 * else a new one. Never one of `avoid`. The result is a temporary; value_done(reuse) is still due,
 * behind the instruction. */
reg value_dest(struct fn *f, uint8_t type, struct value *reuse, uint32_t avoid);
void materialize_aliases(struct fn *f, uint32_t index);
void emit_local_get(struct fn *f);
void emit_local_set(struct fn *f, bool tee);

/* merge.c */
void state_save(struct fn *f, struct state *s);
void state_restore(struct fn *f, const struct state *s);
/* Branching to `l` with the label's values on top of the stack: decides the target if it is the
 * first. */
void merge_target(struct fn *f, struct label *l);
/* Whether a branch to it needs instructions of its own. */
bool merge_is_empty(struct fn *f, struct label *l);
/* Emits the moves; the cache is not changed. Keeps the flags. */
void merge_emit(struct fn *f, struct label *l);
struct move {
    reg dst, src; /* src NOREG: load `slot`, or `bits` if the slot is SLOT_NONE */
    bool w;
    int32_t slot;
    uint64_t bits;
};
struct move value_to_move(struct fn *f, const struct value *v, reg dst);
void moves_emit(struct fn *f, struct move *moves,
                unsigned count); /* all at once; keeps the flags */
void emit_results(struct fn *f); /* of the function, from the stack's top to where they belong */

/* loop.c */
void loop_open(struct fn *f, struct label *l); /* places the locals; decides the target */
void loop_close(struct fn *f);
void loop_set_homes(struct fn *f, bool on); /* local.home of the innermost loop's locals */

/* scan.c */
bool fn_scan(struct fn *f);

/* function.c */
bool fn_compile(struct fn *f, uint32_t body_index);
void fn_trap_if(struct fn *f, enum cond c, enum trap kind);
void fn_trap(struct fn *f, enum trap kind);
void fn_site(struct fn *f); /* here is a return address */
void fn_reloc(struct fn *f, uint32_t at, uint32_t target);
uint32_t fn_literal(struct fn *f, uint64_t bits);
void fn_literal_at(struct fn *f, uint32_t at, uint32_t index);
void fn_float_const(struct fn *f, bool w, reg dst, uint64_t bits);
void fn_memory_registers(struct fn *f); /* r13 and r14 valid from here */
void fn_checks_drop(struct fn *f, uint32_t mark);
static inline void fn_barrier(struct fn *f) /* no check is widened across this point */
{
    f->epoch++;
}
/* Metered code: a new straight-line piece begins (nothing is emitted unless `now`). */
void fuel_close(struct fn *f);
void fuel_open(struct fn *f, bool check);

/* emit_*.c: one wasm instruction each (or a family, by opcode) */
void emit_integer(struct fn *f, uint32_t op);
void emit_alu_imm(struct fn *f, uint8_t type, enum alu op, struct value *a, int32_t imm);
void emit_shift_imm(struct fn *f, uint8_t type, enum shift op, struct value *a, unsigned count);
void emit_multiply(struct fn *f, uint8_t type);
void emit_divide(struct fn *f, uint8_t type, bool is_signed, bool rem);
void emit_float(struct fn *f, uint32_t op);
void emit_convert(struct fn *f, uint32_t op);
void emit_load(struct fn *f, uint32_t op);
void emit_store(struct fn *f, uint32_t op);
void emit_memory_size(struct fn *f);
void emit_flags(struct fn *f, enum cond c); /* pushes a condition, as flags or as a number */
void emit_select(struct fn *f);
void emit_drop(struct fn *f);
enum cond pop_condition(struct fn *f); /* to flags: pops an i32, true if not zero */

void emit_block(struct fn *f, uint32_t op);
void emit_else(struct fn *f);
void emit_end(struct fn *f);
void emit_br(struct fn *f, uint32_t depth);
void emit_br_if(struct fn *f, uint32_t depth);
void emit_br_table(struct fn *f);
void emit_unreachable_code(struct fn *f); /* everything after a jump */
void label_open_function(struct fn *f);

void emit_call(struct fn *f, uint32_t function);
void emit_call_indirect(struct fn *f, uint32_t type, uint32_t table);
void emit_builtin(struct fn *f, enum builtin b, unsigned operands, const uint32_t *extra,
                  unsigned extra_count, uint8_t result); /* result 0: none */
void emit_global_get(struct fn *f, uint32_t index);
void emit_global_set(struct fn *f, uint32_t index);
void emit_reference(struct fn *f, uint32_t op);
void emit_misc(struct fn *f);

/* stubs.c */
bool stubs_emit(struct masm *m, const struct module *m_, struct stubs *out, struct code *code);

#endif
