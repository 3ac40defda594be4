/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which value is in which register: the lazy operand stack, operands and results, eviction. */
#include "baseline/internal.h"

/* ---- registers ---- */

static void stack_spill(struct fn *f, uint32_t height)
{
    struct value *v = &f->stack[height];
    int32_t slot = fn_stack_slot(f, height);

    fn_store_slot(f, type_is_wide(v->type), slot, v->reg);
    f->reg_stack[v->reg] = NONE;
    f->used &= ~BIT(v->reg);
    v->kind = VAL_SLOT;
    v->slot = slot;
}

static void evict(struct fn *f, reg r)
{
    if (f->reg_local[r] != NONE) {
        local_spill(f, r);
        local_unbind(f, r);
    } else {
        ASSERT(f->reg_stack[r] != NONE);
        stack_spill(f, f->reg_stack[r]);
    }
}

/* How much an eviction costs, roughly. */
static unsigned evict_cost(struct fn *f, reg r)
{
    uint32_t index = f->reg_local[r];
    unsigned cost;

    if (index == NONE)
        return 6;
    if (local_is_dead(f, index))
        return 0;
    cost = f->dirty & BIT(r) ? 3 : 1;
    if (f->locals[index].home == r)
        cost += 8;
    if (f->locals[index].alias >= 0)
        cost += 2;
    return cost;
}

static reg evict_one(struct fn *f, uint32_t mask)
{
    unsigned best_cost = 1000;
    reg best = NOREG;

    for (unsigned i = 0; i < REG_COUNT; i++) {
        reg r = (reg)((i + f->evict_next) % REG_COUNT);
        unsigned cost;

        if (!(mask & ~f->pinned & BIT(r)) || (f->reg_local[r] == NONE && f->reg_stack[r] == NONE))
            continue;
        cost = evict_cost(f, r);
        if (cost < best_cost) {
            best_cost = cost;
            best = r;
        }
    }
    ASSERT(best != NOREG);
    f->evict_next = best + 1u;
    evict(f, best);
    return best;
}

/* Registers that a loop has promised to a local which is in memory just now. */
static uint32_t homes(const struct fn *f)
{
    return f->open_loops.count
               ? f->labels.items[f->open_loops.items[f->open_loops.count - 1]].target.used
               : 0;
}

reg reg_alloc(struct fn *f, uint32_t mask)
{
    uint32_t available = mask & ~f->used;
    reg r;

    if (LIKELY(available & ~homes(f)))
        r = (reg)__builtin_ctz(available & ~homes(f));
    else if (available)
        r = (reg)__builtin_ctz(available);
    else
        r = evict_one(f, mask);
    f->used |= BIT(r);
    return r;
}

reg reg_alloc_high(struct fn *f, uint32_t mask)
{
    uint32_t available = mask & ~f->used;
    reg r;

    if (LIKELY(available & ~homes(f)))
        r = (reg)(31 - __builtin_clz(available & ~homes(f)));
    else if (available)
        r = (reg)(31 - __builtin_clz(available));
    else
        r = evict_one(f, mask);
    f->used |= BIT(r);
    return r;
}

void reg_want(struct fn *f, reg r)
{
    uint32_t mask = IS_XMM(r) ? XMM_ALL : GPR_ALL;
    uint32_t available = mask & ~f->used & ~BIT(r);

    if (f->used & BIT(r)) {
        if (available & ~homes(f))
            available &= ~homes(f);
        if (available && f->reg_local[r] != NONE &&
            ((f->pinned & BIT(r)) || !local_is_dead(f, f->reg_local[r]))) {
            reg other = (reg)(31 - __builtin_clz(available));
            uint32_t index = f->reg_local[r];
            bool dirty = f->dirty & BIT(r);

            masm_mov(&f->m, true, other, r);
            local_unbind(f, r);
            local_bind(f, index, other, dirty);
            if (f->pinned & BIT(r))
                f->pinned |= BIT(other);
        } else if (available && f->reg_local[r] == NONE) {
            reg other = (reg)__builtin_ctz(available);
            uint32_t height = f->reg_stack[r];

            ASSERT(height != NONE);
            masm_mov(&f->m, true, other, r);
            f->stack[height].reg = other;
            f->reg_stack[other] = height;
            f->reg_stack[r] = NONE;
            f->used |= BIT(other);
        } else {
            evict(f, r);
        }
    }
    f->used |= BIT(r);
}

void reg_free(struct fn *f, reg r)
{
    ASSERT(f->reg_local[r] == NONE && f->reg_stack[r] == NONE);
    f->used &= ~BIT(r);
}

/* ---- the operand stack ---- */

void stack_push(struct fn *f, struct value v)
{
    uint32_t height = f->height++;

    f->stack[height] = v;
    if (v.kind == VAL_REG) {
        f->reg_stack[v.reg] = height;
    } else if (v.kind == VAL_LOCAL) {
        struct local *l = &f->locals[v.local];

        f->stack[height].prev = l->alias;
        l->alias = (int32_t)height;
    }
}

void stack_push_const(struct fn *f, uint8_t type, uint64_t bits)
{
    stack_push(f, (struct value){.kind = VAL_CONST, .type = type, .bits = bits});
}

void stack_push_reg(struct fn *f, uint8_t type, reg r)
{
    stack_push(f, (struct value){.kind = VAL_REG, .type = type, .reg = r});
}

void stack_push_local(struct fn *f, uint32_t index)
{
    stack_push(f,
               (struct value){.kind = VAL_LOCAL, .type = fn_local(f, index)->type, .local = index});
}

void stack_push_slot(struct fn *f, uint8_t type, int32_t slot)
{
    stack_push(f, (struct value){.kind = VAL_SLOT, .type = type, .slot = slot});
}

struct value stack_pop(struct fn *f)
{
    struct value v = f->stack[--f->height];

    if (f->flushed > f->height)
        f->flushed = f->height;
    if (v.kind == VAL_REG)
        f->reg_stack[v.reg] = NONE; /* still in `used`: a temporary now */
    else if (v.kind == VAL_LOCAL) {
        f->locals[v.local].alias = v.prev;
        if (f->locals[v.local].reg != NOREG) /* perhaps dead, but an operand now: not to be lost */
            f->pinned |= BIT(f->locals[v.local].reg);
    }
    return v;
}

void stack_drop_to(struct fn *f, uint32_t height)
{
    while (f->height > height) {
        struct value v = stack_pop(f);

        value_done(f, &v);
    }
}

/* The entry gets a slot of its own. */
static void entry_to_slot(struct fn *f, uint32_t height)
{
    struct value *v = &f->stack[height];
    bool w = type_is_wide(v->type);
    int32_t slot;
    reg r;

    if (v->kind == VAL_REG) {
        stack_spill(f, height);
        return;
    }
    if (v->kind != VAL_LOCAL)
        return;
    masm_reserve(&f->m,
                 MASM_ROOM); /* one instruction may write as many copies as the stack holds */
    slot = fn_stack_slot(f, height);
    r = f->locals[v->local].reg;
    if (r == NOREG) {
        r = type_is_float(v->type) ? FSCRATCH : SCRATCH;
        fn_load_slot(f, w, r, local_slot(f, v->local));
    }
    fn_store_slot(f, w, slot, r);
    v->kind = VAL_SLOT;
    v->slot = slot;
}

void stack_flush(struct fn *f)
{
    uint32_t first = f->flushed;

    for (uint32_t i = first; i < f->height; i++) {
        if (f->stack[i].kind == VAL_LOCAL)
            f->locals[f->stack[i].local].alias = -1; /* all copies are among those flushed */
        entry_to_slot(f, i);
    }
    f->flushed = f->height;
}

void stack_save_below(struct fn *f, uint32_t height)
{
    for (uint32_t left = f->used; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);

        if (f->reg_stack[r] < height)
            stack_spill(f, f->reg_stack[r]);
    }
}

void materialize_aliases(struct fn *f, uint32_t index)
{
    struct local *l = &f->locals[index];
    uint32_t class = type_class(l->type);
    bool w = type_is_wide(l->type);
    int32_t at = l->alias;

    if (at < 0)
        return;
    l->alias = -1;
    if (l->reg != NOREG)
        f->pinned |= BIT(l->reg);
    while (at >= 0) {
        struct value *v = &f->stack[at];
        int32_t prev = v->prev;
        reg r;

        if (class & ~f->used) {
            r = reg_alloc(f, class);
            if (l->reg != NOREG)
                masm_mov(&f->m, w, r, l->reg);
            else
                fn_load_slot(f, w, r, local_slot(f, index));
            v->kind = VAL_REG;
            v->reg = r;
            f->reg_stack[r] = (uint32_t)at;
        } else {
            entry_to_slot(f, (uint32_t)at);
        }
        at = prev;
    }
}

/* ---- values ---- */

static void load_const(struct fn *f, uint8_t type, reg r, uint64_t bits)
{
    if (type_is_float(type))
        fn_float_const(f, type_is_wide(type), r, bits);
    else if (bits == 0 && !f->flags_live)
        masm_zero(&f->m, r);
    else
        masm_mov_imm(&f->m, r, bits);
}

reg value_use(struct fn *f, struct value *v)
{
    bool w = type_is_wide(v->type);
    reg r;

    switch (v->kind) {
    case VAL_REG:
        return v->reg;
    case VAL_LOCAL: {
        struct local *l = &f->locals[v->local];

        if (l->reg == NOREG) {
            r = l->home != NOREG && !(f->used & BIT(l->home))
                    ? l->home
                    : reg_alloc_high(f, type_class(v->type));
            fn_load_slot(f, w, r, local_slot(f, v->local));
            local_bind(f, v->local, r, false);
        }
        f->pinned |= BIT(l->reg);
        return l->reg;
    }
    case VAL_CONST:
        r = reg_alloc(f, type_class(v->type));
        load_const(f, v->type, r, v->bits);
        break;
    case VAL_SLOT:
        r = reg_alloc(f, type_class(v->type));
        fn_load_slot(f, w, r, v->slot);
        break;
    default:
        UNREACHABLE();
    }
    v->kind = VAL_REG;
    v->reg = r;
    return r;
}

reg value_own(struct fn *f, struct value *v)
{
    bool w = type_is_wide(v->type);
    reg r;

    if (v->kind == VAL_LOCAL) {
        struct local *l = &f->locals[v->local];

        if (l->reg != NOREG && local_is_dead(f, v->local)) {
            r = l->reg;
            local_unbind(f, r);
            f->used |= BIT(r);
        } else {
            if (l->reg != NOREG)
                f->pinned |= BIT(l->reg);
            r = reg_alloc(f, type_class(v->type));
            if (l->reg != NOREG)
                masm_mov(&f->m, w, r, l->reg);
            else
                fn_load_slot(f, w, r, local_slot(f, v->local));
        }
        v->kind = VAL_REG;
        v->reg = r;
        return r;
    }
    return value_use(f, v);
}

void value_move(struct fn *f, struct value *v, reg dst)
{
    bool w = type_is_wide(v->type);

    switch (v->kind) {
    case VAL_REG:
        if (v->reg != dst) {
            masm_mov(&f->m, w, dst, v->reg);
            reg_free(f, v->reg);
        }
        break;
    case VAL_LOCAL:
        if (f->locals[v->local].reg != NOREG) {
            if (f->locals[v->local].reg != dst)
                masm_mov(&f->m, w, dst, f->locals[v->local].reg);
        } else {
            fn_load_slot(f, w, dst, local_slot(f, v->local));
        }
        break;
    case VAL_CONST:
        load_const(f, v->type, dst, v->bits);
        break;
    case VAL_SLOT:
        fn_load_slot(f, w, dst, v->slot);
        break;
    default:
        UNREACHABLE();
    }
}

void value_done(struct fn *f, struct value *v)
{
    if (v->kind == VAL_REG)
        reg_free(f, v->reg);
    v->kind = VAL_CONST;
}

bool value_imm(const struct value *v, int32_t *out)
{
    if (v->kind != VAL_CONST)
        return false;
    if (v->type == VALTYPE_I32) {
        *out = (int32_t)(uint32_t)v->bits;
        return true;
    }
    *out = (int32_t)v->bits;
    return (int64_t)v->bits == *out;
}

/* The register of the local that the next instruction sets; NOREG if it is not one or has none. */
static reg set_hint(struct fn *f, uint8_t type, uint32_t avoid)
{
    const uint8_t *ip = f->ip;
    struct local *l;
    uint32_t index;
    reg r;

    if (*ip != OP_LOCAL_SET && *ip != OP_LOCAL_TEE)
        return NOREG;
    f->ip++;
    index = read_u32(f);
    f->ip = ip;
    l = fn_local(f, index);
    if (l->alias >= 0 || l->type != type)
        return NOREG;
    r = l->reg;
    if (r != NOREG) {
        if (avoid & BIT(r))
            return NOREG;
        local_unbind(f, r);
        return r;
    }
    r = l->home;
    if (r == NOREG || ((f->used | avoid) & BIT(r)))
        return NOREG;
    return r;
}

reg value_dest(struct fn *f, uint8_t type, struct value *reuse, uint32_t avoid)
{
    reg r = set_hint(f, type, avoid);

    if (r != NOREG) {
        f->used |= BIT(r);
        return r;
    }
    if (reuse && reuse->kind == VAL_REG && !(avoid & BIT(reuse->reg)) &&
        (type_class(type) & BIT(reuse->reg))) {
        reuse->kind = VAL_CONST;
        return reuse->reg;
    }
    if (reuse && reuse->kind == VAL_LOCAL && (type_class(type) & type_class(reuse->type))) {
        struct local *l = &f->locals[reuse->local];

        if (l->reg != NOREG && !(avoid & BIT(l->reg)) && local_is_dead(f, reuse->local)) {
            r = l->reg;
            local_unbind(f, r);
            f->used |= BIT(r);
            return r;
        }
    }
    return reg_alloc(f, type_class(type));
}
