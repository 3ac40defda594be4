/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The code at the start of each block that is no function: exits for traps, fuel and stack growth,
 * calls of builtins, and per type the thunks "enter", "host" and "cross" (vm/convention.h). None of
 * it is preempted, none of it checks the stack: its few words fit in STACK_RESERVE. What a cross
 * thunk pushes was counted by its caller: prologues ask for twice what their function pushes for a
 * call, fiber_activate for the parameters once more. */
#include "baseline/internal.h"

/* Where the parameters of a type are. */
struct places {
    uint32_t words; /* on the stack */
    uint32_t count;
    reg regs[HOST_PARAMS_MAX]; /* of the first parameters; NOREG: on the stack, in order */
};

static reg next_place(uint8_t type, uint32_t *ints, uint32_t *floats)
{
    if (type_is_float(type))
        return *floats < FLOAT_ARGS ? XMM((*floats)++) : NOREG;
    return *ints < INT_ARGS ? int_args[(*ints)++] : NOREG;
}

static uint32_t stack_words(const struct functype *t)
{
    uint32_t ints = 0, floats = 0, words = 0;

    for (uint32_t i = 0; i < t->param_count; i++)
        words += next_place(t->params[i], &ints, &floats) == NOREG;
    return words;
}

static bool add_range(struct code *code, uint32_t begin, uint32_t end, uint32_t entry,
                      uint32_t frame, uint32_t args)
{
    code->ranges[code->range_count++] =
        (struct code_range){begin, end, entry, frame, args, CODE_NO_FUNCTION};
    return true;
}

static void jmp_exit(struct masm *m, const void *target)
{
    uint32_t at = masm_jmp_literal(m);

    masm_patch_rel(m, at, masm_pos(m)); /* the literal is the next 8 bytes */
    masm_u64(m, (uint64_t)(uintptr_t)target);
}

/* ---- calls of C functions ---- */

/* What the C convention wants of a call: the first argument is made here, the others come from the
 * words that the thunk saved. */
struct c_call {
    uint32_t count;       /* arguments behind the first */
    const uint8_t *types; /* NULL: all integers */
    uint32_t words;       /* of arguments on the guest's stack, behind the return address */
    bool is_builtin;
    const void *target; /* of a builtin; else it is in the struct function */
    uint8_t result;     /* 0: none */
};

/* The frame: [rsp] the struct function (later the result), [rsp + 8 + 8i] argument i. */
static void emit_c_call(struct masm *m, const struct c_call *c, struct code *code)
{
    static const uint8_t c_ints[5] = {RSI, RDX, RCX, R8, R9};
    uint32_t begin = masm_pos(m), frame = 8 + c->count * 8, again, ints = 0, floats = 0, words = 0;
    uint32_t not_done, tick, trap_at, at, c_words = 0;
    bool is_float = c->result && type_is_float(c->result);

    masm_alu_imm(m, ALU_SUB, true, RSP, (int32_t)frame);
    masm_store(m, true, mem_at(RSP, 0), RAX);
    for (uint32_t i = 0; i < c->count; i++) {
        struct mem to = mem_at(RSP, (int32_t)(8 + i * 8));
        reg r = next_place(c->types ? c->types[i] : VALTYPE_I64, &ints, &floats);

        if (r == NOREG) {
            masm_load(m, true, R10, mem_at(RSP, (int32_t)(frame + 8 + words++ * 8)));
            r = R10;
        }
        masm_store(m, true, to, r);
    }
    again = masm_pos(m);
    masm_load(m, true, R12, mem_at(INSTANCE, INSTANCE_FIBER));
    masm_mov(m, true, RBX, RSP);
    masm_store(m, true, mem_at(R12, FIBER_GUEST_SP), RSP);
    masm_load(m, true, RSP, mem_at(R12, FIBER_HOST_SP));
    /* Arguments that the C convention has on the stack. */
    ints = floats = 0;
    for (uint32_t i = 0; i < c->count; i++)
        if (c->types && type_is_float(c->types[i]) ? floats++ >= 8 : ints++ >= 5)
            c_words++;
    if (c_words) {
        uint32_t k = 0;

        masm_alu_imm(m, ALU_SUB, true, RSP, (int32_t)((c_words + 1) / 2 * 16));
        ints = floats = 0;
        for (uint32_t i = 0; i < c->count; i++)
            if (c->types && type_is_float(c->types[i]) ? floats++ >= 8 : ints++ >= 5) {
                masm_load(m, true, RAX, mem_at(RBX, (int32_t)(8 + i * 8)));
                masm_store(m, true, mem_at(RSP, (int32_t)(k++ * 8)), RAX);
            }
    }
    ints = floats = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        struct mem from = mem_at(RBX, (int32_t)(8 + i * 8));

        if (c->types && type_is_float(c->types[i])) {
            if (floats < 8)
                masm_load(m, true, XMM(floats), from);
            floats++;
        } else {
            if (ints < 5)
                masm_load(m, true, c_ints[ints], from);
            ints++;
        }
    }
    if (c->is_builtin) {
        masm_mov(m, true, RDI, INSTANCE);
        masm_mov_imm(m, RAX, (uint64_t)(uintptr_t)c->target);
        masm_store(m, true, mem_at(R12, FIBER_SCRATCH), RAX);
        masm_call_mem(m, mem_at(R12, FIBER_SCRATCH));
    } else {
        masm_load(m, true, RDI, mem_at(R12, FIBER_GUEST));
        masm_load(m, true, RAX, mem_at(RBX, 0));
        masm_call_mem(m, mem_at(RAX, FUNCTION_TARGET));
    }
    masm_load(m, true, RSP, mem_at(R12, FIBER_GUEST_SP));
    masm_test(m, false, RDX, RDX);
    not_done = masm_jcc(m, COND_NE);
    masm_load(m, true, RCX, mem_at(R12, FIBER_TICK));
    masm_alu_mem_imm(m, ALU_CMP, false, mem_at(RCX, 0), 0);
    tick = masm_jcc(m, COND_NE);
    if (is_float)
        masm_gpr_to_xmm(m, true, XMM(0), RAX);
    else if (c->result == VALTYPE_I32)
        masm_mov(m, false, RAX, RAX);
    masm_alu_imm(m, ALU_ADD, true, RSP, (int32_t)frame);
    masm_ret(m, c->words * 8);

    masm_patch_rel(m, tick, masm_pos(m));
    masm_store(m, true, mem_at(RSP, 0), RAX);
    at = masm_lea_literal(m, RAX);
    jmp_exit(m, vm_exits.stop_tick);
    masm_patch_rel(m, at, masm_pos(m));
    if (is_float)
        masm_load(m, true, XMM(0), mem_at(RSP, 0));
    else
        masm_load(m, c->result != VALTYPE_I32, RAX, mem_at(RSP, 0));
    masm_alu_imm(m, ALU_ADD, true, RSP, (int32_t)frame);
    masm_ret(m, c->words * 8);

    masm_patch_rel(m, not_done, masm_pos(m));
    masm_alu_imm(m, ALU_CMP, false, RDX, OUTCOME_TRAP);
    trap_at = masm_jcc(m, COND_E);
    masm_store(m, true, mem_at(R12, FIBER_OUTCOME), RAX);
    masm_store(m, true, mem_at(R12, FIBER_OUTCOME + 8), RDX);
    at = masm_lea_literal(m, RAX);
    masm_patch_rel(m, at, again);
    jmp_exit(m, vm_exits.stop_outcome);

    masm_patch_rel(m, trap_at, masm_pos(m));
    masm_alu_imm(m, ALU_ADD, true, RSP, (int32_t)frame);
    if (c->words) { /* as if the arguments had been popped */
        masm_pop(m, RCX);
        masm_alu_imm(m, ALU_ADD, true, RSP, (int32_t)(c->words * 8));
        masm_push(m, RCX);
    }
    jmp_exit(m, vm_exits.stop_trap);
    add_range(code, begin, masm_pos(m), begin, frame, c->words * 8);
}

/* ---- thunks of a type ---- */

static void emit_enter(struct masm *m, const struct functype *t, struct code *code)
{
    uint32_t begin = masm_pos(m), words = stack_words(t), ints = 0, floats = 0, pushed = 0;
    int32_t base;

    masm_load(m, true, RAX, mem_at(RSP, 0));
    for (uint32_t i = 0; i < t->param_count; i++)
        (void)next_place(t->params[i], &ints, &floats);
    if (words) { /* from the last to the first */
        ints = floats = 0;
        masm_alu_imm(m, ALU_SUB, true, RSP, (int32_t)(words * 8));
        for (uint32_t i = 0; i < t->param_count; i++)
            if (next_place(t->params[i], &ints, &floats) == NOREG) {
                masm_reserve(m, MASM_ROOM);
                masm_load(m, t->params[i] != VALTYPE_I32, R10,
                          mem_at(RSP, (int32_t)(words * 8 + 8 + i * 8)));
                masm_store(m, true, mem_at(RSP, (int32_t)(pushed++ * 8)), R10);
            }
    }
    base = (int32_t)(words * 8 + 8);
    ints = floats = 0;
    for (uint32_t i = 0; i < t->param_count; i++) {
        reg r = next_place(t->params[i], &ints, &floats);

        if (r != NOREG)
            masm_load(m, t->params[i] != VALTYPE_I32, r, mem_at(RSP, base + (int32_t)i * 8));
    }
    masm_call_mem(m, mem_at(RAX, FUNCTION_ENTRY));
    for (uint32_t i = 0; i < t->result_count; i++) {
        static const uint8_t places[2][2] = {{RAX, XMM(0)}, {RDX, XMM(1)}};
        struct mem to = mem_at(RSP, (int32_t)(8 + i * 8));

        masm_reserve(m, MASM_ROOM);
        if (i < 2) {
            reg r = places[i][type_is_float(t->results[i])];

            if (t->results[i] == VALTYPE_I32)
                masm_mov(m, false, r, r);
            masm_store(m, true, to, r);
            continue;
        }
        if (i == 2)
            masm_load(m, true, RCX, mem_at(INSTANCE, INSTANCE_RESULTS));
        masm_load(m, true, R10, mem_at(RCX, (int32_t)(i - 2) * 8));
        masm_store(m, true, to, R10);
    }
    jmp_exit(m, vm_exits.stop_returned);
    add_range(code, begin, masm_pos(m), begin, 0, 0);
}

static void emit_host(struct masm *m, const struct functype *t, struct code *code)
{
    struct c_call c = {.count = t->param_count,
                       .types = t->params,
                       .words = stack_words(t),
                       .result = t->result_count ? t->results[0] : 0};
    uint32_t begin = masm_pos(m);

    if (t->param_count <= HOST_PARAMS_MAX && t->result_count <= 1) {
        emit_c_call(m, &c, code);
        return;
    }
    masm_u32(m, 0x0b0f0b0f); /* never entered: no host function has such a type */
    add_range(code, begin, masm_pos(m), begin, 0, 0);
}

static void copy_word(struct masm *m, reg from, reg to, int32_t field)
{
    masm_load(m, true, R10, mem_at(from, field));
    masm_store(m, true, mem_at(to, field), R10);
}

/* The frame: [rsp] the caller's instance. */
static void emit_cross(struct masm *m, const struct functype *t, struct code *code)
{
    uint32_t begin = masm_pos(m), words = stack_words(t);

    masm_push(m, INSTANCE);
    for (uint32_t i = 0; i < words; i++) {
        masm_reserve(m, MASM_ROOM);
        masm_push_mem(m, mem_at(RSP, (int32_t)(words * 8 + 8)));
    }
    masm_mov(m, true, R12, INSTANCE);
    masm_load(m, true, INSTANCE, mem_at(RAX, FUNCTION_INSTANCE));
    copy_word(m, R12, INSTANCE, INSTANCE_FIBER);
    copy_word(m, R12, INSTANCE, INSTANCE_STACK_LIMIT);
    copy_word(m, R12, INSTANCE, INSTANCE_FUEL);
    masm_call_mem(m, mem_at(RAX, FUNCTION_TARGET));
    masm_mov(m, true, R12, INSTANCE);
    masm_pop(m, INSTANCE);
    copy_word(m, R12, INSTANCE, INSTANCE_STACK_LIMIT);
    copy_word(m, R12, INSTANCE, INSTANCE_FUEL);
    for (uint32_t i = 2; i < t->result_count; i++) {
        masm_reserve(m, MASM_ROOM);
        if (i == 2) {
            masm_load(m, true, RCX, mem_at(R12, INSTANCE_RESULTS));
            masm_load(m, true, RSI, mem_at(INSTANCE, INSTANCE_RESULTS));
        }
        copy_word(m, RCX, RSI, (int32_t)(i - 2) * 8);
    }
    masm_ret(m, words * 8);
    add_range(code, begin, masm_pos(m), begin, 8, words * 8);
}

/* How the functions of a module use a type. */
enum { USED_BY_IMPORT = 1, USED_BY_BODY = 2 };

/* By type, the first that is equal to it, all types of which share their thunks. False: no memory.
 */
static bool find_equal(const struct code *code, uint32_t *first)
{
    size_t slot_count = 16;
    uint32_t *slots; /* a type + 1, by type_id */

    while (slot_count < (size_t)code->type_count * 2)
        slot_count *= 2;
    slots = mem_try_array(uint32_t, slot_count);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < code->type_count; i++) {
        uint32_t id = code->thunks[i].type_id;
        size_t at = (id * 0x9e3779b1u) & (slot_count - 1);

        while (slots[at] && code->thunks[slots[at] - 1].type_id != id)
            at = (at + 1) & (slot_count - 1);
        if (!slots[at])
            slots[at] = i + 1;
        first[i] = slots[at] - 1;
    }
    mem_free(slots);
    return true;
}

static uint32_t begin_thunk(struct masm *m)
{
    masm_reserve(m, MASM_ROOM);
    masm_align(m, 16);
    return masm_pos(m);
}

/* The thunks of those types that functions have, and only what such functions need: a module may
 * have a million types. */
static bool emit_thunks(struct masm *m, const struct module *mod, struct code *code)
{
    uint32_t *first = mem_try_array(uint32_t, (size_t)mod->type_count + 1);
    uint8_t *uses = mem_try_array(uint8_t, (size_t)mod->type_count + 1);
    bool ok = first && uses && find_equal(code, first);

    for (uint32_t f = 0; ok && f < mod->function_count; f++)
        uses[first[mod->functions[f].type]] |=
            f < mod->imported_functions ? USED_BY_IMPORT : USED_BY_BODY;
    for (uint32_t i = 0; ok && i < mod->type_count && !m->failed; i++) {
        const struct functype *t = &mod->types[i];
        struct code_thunks *thunks = &code->thunks[i];

        if (first[i] != i) {
            *thunks = code->thunks[first[i]];
            continue;
        }
        if (!uses[i])
            continue;
        thunks->enter = begin_thunk(m);
        emit_enter(m, t, code);
        if (uses[i] & USED_BY_IMPORT) {
            thunks->host = begin_thunk(m);
            emit_host(m, t, code);
        }
        if (uses[i] & USED_BY_BODY) {
            thunks->cross = begin_thunk(m);
            emit_cross(m, t, code);
        }
    }
    mem_free(first);
    mem_free(uses);
    return ok;
}

bool stubs_emit(struct masm *m, const struct module *mod, struct stubs *out, struct code *code)
{
    static const uint8_t builtin_args[BUILTIN_COUNT] = {
        [BUILTIN_MEMORY_GROW] = 1, [BUILTIN_MEMORY_FILL] = 3, [BUILTIN_MEMORY_COPY] = 3,
        [BUILTIN_MEMORY_INIT] = 4, [BUILTIN_DATA_DROP] = 1,   [BUILTIN_ELEM_DROP] = 1,
        [BUILTIN_TABLE_GET] = 2,   [BUILTIN_TABLE_SET] = 3,   [BUILTIN_TABLE_GROW] = 3,
        [BUILTIN_TABLE_FILL] = 4,  [BUILTIN_TABLE_COPY] = 5,  [BUILTIN_TABLE_INIT] = 5,
    };
    uint32_t begin = masm_pos(m);

    masm_reserve(m, MASM_ROOM);
    for (unsigned k = 0; k < TRAP_COUNT; k++) {
        out->trap[k] = masm_pos(m);
        masm_mov_imm(m, RAX, k);
        jmp_exit(m, vm_exits.stop_trap);
    }
    out->fuel = masm_pos(m);
    jmp_exit(m, vm_exits.stop_fuel);
    out->grow = masm_pos(m);
    jmp_exit(m, vm_exits.grow_stack);
    add_range(code, begin, masm_pos(m), begin, 0, 0);
    for (unsigned k = 0; k < BUILTIN_COUNT; k++) {
        struct c_call c = {.count = builtin_args[k],
                           .is_builtin = true,
                           .target = (const void *)(uintptr_t)vm_builtins[k],
                           .result = VALTYPE_I64};

        masm_reserve(m, MASM_ROOM);
        masm_align(m, 16);
        out->builtin[k] = masm_pos(m);
        emit_c_call(m, &c, code);
    }
    if (!emit_thunks(m, mod, code))
        m->failed = true;
    masm_reserve(m, MASM_ROOM);
    masm_fill_trap(m, CODE_PAGE);
    return !m->failed;
}
