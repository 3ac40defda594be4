/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One function: prologue, the walk over the instructions, epilogue, and the cold code behind it.
 *
 *     [room][prologue] body [epilogue] [literals] [traps: call stub] [fuel] [stack growth]
 *
 * The prologue is written last, right-aligned in its room, because the frame's size is known then.
 */
#include "baseline/internal.h"

#define FRAME_SIZE_MAX (2u << 20)
#define ZERO_INLINE    32 /* more locals are zeroed by a string instruction */

const uint8_t int_args[INT_ARGS] = {RDI, RSI, RDX, RCX, R8, R9, RBX, RBP};

/* ---- places ---- */

void fn_reloc(struct fn *f, uint32_t at, uint32_t target)
{
    if (!vec_push(&f->relocs, (struct reloc){at, target}))
        f->failed = true;
}

static void add_site(struct fn *f, uint32_t pos)
{
    if (!vec_push(&f->sites, (struct code_site){masm_pos(&f->m), f->body->offset + pos}))
        f->failed = true;
}

void fn_site(struct fn *f)
{
    add_site(f, f->pos);
}

void fn_trap_if(struct fn *f, enum cond c, enum trap kind)
{
    uint32_t at = masm_jcc(&f->m, c);

    if (!vec_push(&f->traps, (struct trap_fixup){at, f->pos, (uint32_t)kind}))
        f->failed = true;
}

void fn_trap(struct fn *f, enum trap kind)
{
    fn_reloc(f, masm_call(&f->m), RELOC_STUB | f->stubs->trap[kind]);
    fn_site(f);
}

uint32_t fn_literal(struct fn *f, uint64_t bits)
{
    size_t n = f->literals.count, from = n > 16 ? n - 16 : 0;

    for (size_t i = from; i < n; i++)
        if (f->literals.items[i] == bits)
            return LITERAL_FIRST + (uint32_t)i;
    if (!vec_push(&f->literals, bits))
        f->failed = true;
    return LITERAL_FIRST + (uint32_t)n;
}

void fn_literal_at(struct fn *f, uint32_t at, uint32_t index)
{
    if (!vec_push(&f->literal_fixups, (struct literal_fixup){at, index}))
        f->failed = true;
}

void fn_float_const(struct fn *f, bool w, reg dst, uint64_t bits)
{
    if (bits == 0)
        masm_zero(&f->m, dst); /* keeps the flags */
    else
        fn_literal_at(f, masm_load_literal(&f->m, w, dst), fn_literal(f, bits));
}

void fn_memory_registers(struct fn *f)
{
    if (f->memory_valid)
        return;
    masm_load(&f->m, true, MEM_BASE, mem_at(INSTANCE, INSTANCE_MEMORY_BASE));
    masm_load(&f->m, true, MEM_LENGTH, mem_at(INSTANCE, INSTANCE_MEMORY_LENGTH));
    f->memory_valid = true;
}

void fn_checks_drop(struct fn *f, uint32_t mark)
{
    for (unsigned i = 0; i < CHECKS; i++)
        if (f->checks[i].ordinal >= mark)
            f->checks[i].local = NONE;
}

/* ---- fuel ---- */

void fuel_close(struct fn *f)
{
    if (f->fuel_patch)
        masm_set32(&f->m, f->fuel_patch, f->fuel_cost);
    f->fuel_patch = 0;
    f->fuel_cost = 0;
}

void fuel_open(struct fn *f, bool check)
{
    struct mem fuel = mem_at(INSTANCE, INSTANCE_FUEL);

    fuel_close(f);
    if (!f->options->metered)
        return;
    fuel.wide = true; /* so the constant has 4 bytes */
    masm_alu_mem_imm(&f->m, ALU_SUB, true, fuel, 0);
    f->fuel_patch = masm_pos(&f->m) - 4;
    if (check) {
        uint32_t at = masm_jcc(&f->m, COND_S);

        if (!vec_push(&f->fuel_fixups, at) || !vec_push(&f->fuel_fixups, masm_pos(&f->m)))
            f->failed = true;
    }
}

static bool is_free(uint32_t op)
{
    switch (op) {
    case OP_NOP:
    case OP_DROP:
    case OP_BLOCK:
    case OP_LOOP:
    case OP_UNREACHABLE:
    case OP_RETURN:
    case OP_ELSE:
    case OP_END:
        return true;
    default:
        return false;
    }
}

/* ---- one instruction ---- */

static void emit_instr(struct fn *f, uint32_t op)
{
    if (f->options->metered && !is_free(op)) {
        if (!f->fuel_patch)
            fuel_open(f, false);
        f->fuel_cost++;
    }
    switch (op) {
    case OP_UNREACHABLE:
        fn_trap(f, TRAP_UNREACHABLE);
        emit_unreachable_code(f);
        break;
    case OP_NOP:
        break;
    case OP_BLOCK:
    case OP_LOOP:
    case OP_IF:
        emit_block(f, op);
        break;
    case OP_ELSE:
        emit_else(f);
        break;
    case OP_END:
        emit_end(f);
        break;
    case OP_BR:
        emit_br(f, read_u32(f));
        break;
    case OP_BR_IF:
        emit_br_if(f, read_u32(f));
        break;
    case OP_BR_TABLE:
        emit_br_table(f);
        break;
    case OP_RETURN:
        emit_br(f, (uint32_t)f->labels.count - 1);
        break;
    case OP_CALL:
        emit_call(f, read_u32(f));
        break;
    case OP_CALL_INDIRECT: {
        uint32_t type = read_u32(f);

        emit_call_indirect(f, type, read_u32(f));
        break;
    }
    case OP_DROP:
        emit_drop(f);
        break;
    case OP_SELECT_T:
        (void)read_u32(f);
        (void)read_u32(f);
        emit_select(f);
        break;
    case OP_SELECT:
        emit_select(f);
        break;
    case OP_LOCAL_GET:
        emit_local_get(f);
        break;
    case OP_LOCAL_SET:
    case OP_LOCAL_TEE:
        emit_local_set(f, op == OP_LOCAL_TEE);
        break;
    case OP_GLOBAL_GET:
        emit_global_get(f, read_u32(f));
        break;
    case OP_GLOBAL_SET:
        emit_global_set(f, read_u32(f));
        break;
    case OP_TABLE_GET:
    case OP_TABLE_SET:
    case OP_REF_NULL:
    case OP_REF_IS_NULL:
    case OP_REF_FUNC:
        emit_reference(f, op);
        break;
    case OP_MEMORY_SIZE:
        f->ip++;
        emit_memory_size(f);
        break;
    case OP_MEMORY_GROW:
        f->ip++;
        emit_builtin(f, BUILTIN_MEMORY_GROW, 1, NULL, 0, VALTYPE_I32);
        break;
    case OP_I32_CONST:
        stack_push_const(f, VALTYPE_I32, (uint32_t)read_s64(f));
        break;
    case OP_I64_CONST:
        stack_push_const(f, VALTYPE_I64, (uint64_t)read_s64(f));
        break;
    case OP_F32_CONST: {
        uint32_t bits;

        memcpy(&bits, f->ip, 4);
        f->ip += 4;
        stack_push_const(f, VALTYPE_F32, bits);
        break;
    }
    case OP_F64_CONST: {
        uint64_t bits;

        memcpy(&bits, f->ip, 8);
        f->ip += 8;
        stack_push_const(f, VALTYPE_F64, bits);
        break;
    }
    case 0xfc:
        emit_misc(f);
        break;
    default:
        if (op <= OP_I64_LOAD32_U)
            emit_load(f, op);
        else if (op <= OP_I64_STORE32)
            emit_store(f, op);
        else if (op <= OP_I64_GE_U || (op >= OP_I32_CLZ && op <= OP_I64_ROTR) ||
                 (op >= OP_I32_EXTEND8_S && op <= OP_I64_EXTEND32_S))
            emit_integer(f, op);
        else if (op <= OP_F64_COPYSIGN)
            emit_float(f, op);
        else
            emit_convert(f, op);
        break;
    }
}

/* ---- the function ---- */

static bool prepare(struct fn *f)
{
    uint32_t at = f->type->param_count;
    size_t stack = (size_t)f->body->stack_max + 8;

    if (f->local_capacity < f->body->local_count) {
        size_t n = f->body->local_count + 64u;
        struct local *l = (struct local *)mem_try_realloc(f->locals, n, sizeof(*l));

        if (!l)
            return false;
        memset(l + f->local_capacity, 0, (n - f->local_capacity) * sizeof(*l));
        f->locals = l;
        f->local_capacity = n;
    }
    if (f->stack_capacity < stack) {
        struct value *v = (struct value *)mem_try_realloc(f->stack, stack * 2, sizeof(*v));
        int32_t *slots;

        if (!v)
            return false;
        f->stack = v;
        slots = (int32_t *)mem_try_realloc(f->stack_slots, stack * 2, sizeof(*slots));
        if (!slots)
            return false;
        f->stack_slots = slots;
        f->stack_capacity = stack * 2;
    }
    for (size_t i = 0; i < stack; i++)
        f->stack_slots[i] = SLOT_NONE;
    f->group_ends.count = 0;
    for (uint32_t i = 0; i < f->body->group_count; i++) {
        at += f->body->groups[i].count;
        if (!vec_push(&f->group_ends, at))
            return false;
    }
    return true;
}

static void reset(struct fn *f)
{
    f->stamp++;
    f->height = f->flushed = f->slot_count = 0;
    f->push_bytes = f->push_max = 0;
    f->used = f->dirty = f->pinned = 0;
    for (unsigned i = 0; i < REG_COUNT; i++)
        f->reg_local[i] = f->reg_stack[i] = NONE;
    f->evict_next = 0;
    f->memory_valid = f->flags_live = f->unreachable = f->falls_out = false;
    f->labels.count = f->open_loops.count = f->loop_starts.count = 0;
    f->next_loop = f->next_if = 0;
    f->trampoline_serial = f->epilogue_fixups = 0;
    f->table_fixups.count = f->traps.count = 0;
    f->literal_fixups.count = f->literals.count = 0;
    f->param_fixups.count = f->fuel_fixups.count = 0;
    for (unsigned i = 0; i < CHECKS; i++)
        f->checks[i] = (struct check){.local = NONE};
    f->check_next = 0;
    f->epoch = f->check_ordinal = 1;
    f->fuel_patch = f->fuel_cost = 0;
}

/* Parameters are where the caller left them. Returns the number of those on the stack. */
static uint32_t bind_params(struct fn *f)
{
    uint32_t ints = 0, floats = 0, words = 0;

    for (uint32_t i = 0; i < f->type->param_count; i++) {
        struct local *l = fn_local(f, i);
        reg r;

        if (type_is_float(l->type))
            r = floats < FLOAT_ARGS ? XMM(floats++) : NOREG;
        else
            r = ints < INT_ARGS ? int_args[ints++] : NOREG;
        if (r == NOREG)
            l->slot = -2 - (int32_t)words++;
        else if (l->flags & LOCAL_SEEN)
            local_bind(f, i, r, true);
    }
    return words;
}

static void zero_locals(struct fn *f)
{
    size_t n = f->zero_locals.count;
    int32_t first;

    if (n <= ZERO_INLINE) {
        for (size_t i = 0; i < n; i++) {
            uint32_t index = f->zero_locals.items[i];
            struct local *l = fn_local(f, index);

            if (__builtin_popcount(type_class(l->type) & ~f->used) > 5) {
                reg r = reg_alloc_high(f, type_class(l->type));

                masm_zero(&f->m, r);
                local_bind(f, index, r, true);
            } else {
                masm_store_imm(&f->m, 8, fn_slot(f, local_slot(f, index)), 0);
            }
        }
        return;
    }
    first = (int32_t)f->slot_count;
    for (size_t i = 0; i < n; i++)
        (void)local_slot(f, f->zero_locals.items[i]);
    reg_want(f, RDI);
    reg_want(f, RCX);
    reg_want(f, RAX);
    masm_lea(&f->m, true, RDI, fn_slot(f, first));
    masm_mov_imm(&f->m, RCX, n);
    masm_zero(&f->m, RAX);
    masm_fill_words(&f->m);
    reg_free(f, RDI);
    reg_free(f, RCX);
    reg_free(f, RAX);
}

static void patch_chain(struct fn *f, uint32_t at, uint32_t target)
{
    while (at) {
        uint32_t next = masm_get32(&f->m, at);

        masm_patch_rel(&f->m, at, target);
        at = next;
    }
}

static void emit_literals(struct fn *f)
{
    static const uint64_t masks[LITERAL_FIRST][2] = {
        {UINT64_C(0x7fffffff7fffffff), UINT64_C(0x7fffffff7fffffff)},
        {UINT64_C(0x8000000080000000), UINT64_C(0x8000000080000000)},
        {UINT64_C(0x7fffffffffffffff), UINT64_C(0x7fffffffffffffff)},
        {UINT64_C(0x8000000000000000), UINT64_C(0x8000000000000000)},
    };
    uint32_t places[LITERAL_FIRST] = {0}, base;

    if (!f->literal_fixups.count)
        return;
    masm_fill_trap(&f->m, 16);
    for (size_t i = 0; i < f->literal_fixups.count; i++) {
        uint32_t index = f->literal_fixups.items[i].index;

        if (index < LITERAL_FIRST && !places[index]) {
            places[index] = masm_pos(&f->m);
            masm_u64(&f->m, masks[index][0]);
            masm_u64(&f->m, masks[index][1]);
        }
    }
    base = masm_pos(&f->m);
    masm_reserve(&f->m, MASM_ROOM + f->literals.count * 8);
    if (f->m.failed)
        return;
    for (size_t i = 0; i < f->literals.count; i++)
        masm_u64(&f->m, f->literals.items[i]);
    for (size_t i = 0; i < f->literal_fixups.count; i++) {
        struct literal_fixup x = f->literal_fixups.items[i];

        masm_patch_rel(&f->m, x.at,
                       x.index < LITERAL_FIRST ? places[x.index]
                                               : base + (x.index - LITERAL_FIRST) * 8);
    }
}

static void emit_cold(struct fn *f)
{
    for (size_t i = 0; i < f->traps.count; i++) {
        struct trap_fixup t = f->traps.items[i];

        masm_reserve(&f->m, MASM_ROOM);
        masm_patch_rel(&f->m, t.at, masm_pos(&f->m));
        fn_reloc(f, masm_call(&f->m), RELOC_STUB | f->stubs->trap[t.kind]);
        add_site(f, t.offset);
    }
    for (size_t i = 0; i < f->fuel_fixups.count; i += 2) {
        masm_reserve(&f->m, MASM_ROOM);
        masm_patch_rel(&f->m, f->fuel_fixups.items[i], masm_pos(&f->m));
        fn_reloc(f, masm_call(&f->m), RELOC_STUB | f->stubs->fuel);
        add_site(f, 0);
        masm_jmp_to(&f->m, f->fuel_fixups.items[i + 1]);
    }
}

/* Writes the prologue in front of the body; returns the entry. `*grow_at`: the 4 bytes of its jump
 * to the stack's growth, 0 if it has none. */
static uint32_t write_prologue(struct fn *f, uint32_t frame, uint32_t wanted, uint32_t *grow_at)
{
    uint8_t bytes[PROLOGUE_MAX + 8];
    struct masm p = {.start = bytes, .p = bytes, .end = bytes + sizeof(bytes)};
    uint32_t entry, jump = 0, size;
    struct mem limit = mem_at(INSTANCE, INSTANCE_STACK_LIMIT);

    if (f->has_calls || wanted > HEADROOM) {
        if (wanted > HEADROOM) {
            masm_lea(&p, true, SCRATCH, mem_at(RSP, -(int32_t)wanted));
            masm_alu_mem(&p, ALU_CMP, true, SCRATCH, limit);
        } else {
            masm_alu_mem(&p, ALU_CMP, true, RSP, limit);
        }
        jump = masm_jcc(&p, COND_B);
    }
    if (frame)
        masm_alu_imm(&p, ALU_SUB, true, RSP, (int32_t)frame);
    size = masm_pos(&p);
    ASSERT(size <= PROLOGUE_MAX);
    entry = f->start + PROLOGUE_MAX - size;
    memcpy(f->m.start + entry, bytes, size);
    *grow_at = jump ? entry + jump : 0;
    return entry;
}

static bool finish(struct fn *f, uint32_t param_words)
{
    uint32_t frame = f->slot_count * 8, entry, end, grow_at;
    uint32_t wanted = frame + 2 * f->push_max; /* twice: a cross thunk pushes arguments again */

    if (!f->failed && !f->m.failed) {
        emit_literals(f);
        emit_cold(f);
    }
    if (f->m.failed || f->failed)
        return f->m.too_large
                   ? fail(f->err, ERR_LIMIT, "machine code of more than %zu bytes", f->m.limit)
                   : fail(f->err, ERR_NO_MEMORY, "no memory to compile function %u", f->index);
    if (frame > FRAME_SIZE_MAX)
        return fail(f->err, ERR_LIMIT, "function %u needs a frame of %u bytes, at most %u",
                    f->index, frame, FRAME_SIZE_MAX);
    for (size_t i = 0; i < f->param_fixups.count; i++) {
        uint32_t at = f->param_fixups.items[i];

        masm_set32(&f->m, at, masm_get32(&f->m, at) + frame);
    }
    entry = write_prologue(f, frame, wanted, &grow_at);
    end = masm_pos(&f->m);
    if (!vec_push(&f->ranges,
                  (struct code_range){f->start, end, entry, frame, param_words * 8, f->index}))
        return fail(f->err, ERR_NO_MEMORY, "no memory to compile function %u", f->index);
    if (grow_at) { /* behind the function: here its frame does not exist yet */
        masm_reserve(&f->m, MASM_ROOM);
        masm_patch_rel(&f->m, grow_at, end);
        masm_mov_imm(&f->m, RAX, wanted > HEADROOM ? wanted : HEADROOM);
        fn_reloc(f, masm_call(&f->m), RELOC_STUB | f->stubs->grow);
        add_site(f, 0);
        masm_jmp_to(&f->m, grow_at + 4);
        if (!vec_push(&f->ranges, (struct code_range){end, masm_pos(&f->m), entry, 0,
                                                      param_words * 8, f->index}))
            f->failed = true;
    }
    if (!vec_push(&f->entries, entry) || f->failed || f->m.failed)
        return fail(f->err, ERR_NO_MEMORY, "no memory to compile function %u", f->index);
    return true;
}

bool fn_compile(struct fn *f, uint32_t body_index)
{
    const struct module *m = f->module;
    uint32_t param_words;

    f->body = &m->bodies[body_index];
    f->index = m->imported_functions + body_index;
    f->type = &m->types[m->functions[f->index].type];
    f->code = f->body->code.data;
    reset(f);
    if (!prepare(f) || !fn_scan(f))
        return fail(f->err, ERR_NO_MEMORY, "no memory to compile function %u", f->index);
    masm_reserve(&f->m, MASM_ROOM);
    masm_fill_trap(&f->m, 16);
    f->start = masm_pos(&f->m);
    memset(f->m.p, 0xcc, PROLOGUE_MAX);
    f->m.p += PROLOGUE_MAX;
    f->ip = f->code;
    f->pos = 0;
    param_words = bind_params(f);
    masm_reserve(&f->m, MASM_ROOM);
    zero_locals(f);
    label_open_function(f);
    fuel_open(f, true);
    while (f->labels.count && !f->failed && !f->m.failed) {
        f->pos = (uint32_t)(f->ip - f->code);
        f->pinned = 0;
        masm_reserve(&f->m, MASM_ROOM);
        emit_instr(f, *f->ip++);
    }
    if (!f->failed && !f->m.failed) {
        uint32_t frame = f->slot_count * 8;

        if (f->epilogue_fixups || f->falls_out || !f->unreachable) {
            patch_chain(f, f->epilogue_fixups, masm_pos(&f->m));
            if (frame)
                masm_alu_imm(&f->m, ALU_ADD, true, RSP, (int32_t)frame);
            masm_ret(&f->m, param_words * 8);
        }
        fuel_close(f);
    }
    return finish(f, param_words);
}
