/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which value is in which register: locals, the lazy operand stack, eviction. */
#include "baseline/internal.h"

static uint8_t local_type(const struct fn *f, uint32_t index)
{
    size_t low = 0, high = f->group_ends.count;

    if (index < f->type->param_count)
        return f->type->params[index];
    while (low < high) {
        size_t mid = (low + high) / 2;

        if (f->group_ends.items[mid] <= index)
            low = mid + 1;
        else
            high = mid;
    }
    return f->body->groups[low].type;
}

static void local_setup(struct fn *f, struct local *l, uint32_t index)
{
    *l = (struct local){.stamp = f->stamp,
                        .alias = -1,
                        .slot = SLOT_NONE,
                        .loop = NONE,
                        .reg = NOREG,
                        .home = NOREG,
                        .type = local_type(f, index)};
}

struct local *fn_local(struct fn *f, uint32_t index)
{
    struct local *l = &f->locals[index];

    if (UNLIKELY(l->stamp != f->stamp))
        local_setup(f, l, index);
    return l;
}

/* ---- the frame ---- */

struct mem fn_slot(struct fn *f, int32_t slot)
{
    return mem_at(RSP, slot * 8 + (int32_t)f->push_bytes);
}

/* Stack parameters lie above the frame, whose size is known at the end only. */
static struct mem param_slot(struct fn *f, int32_t slot)
{
    struct mem a = mem_at(RSP, (-2 - slot) * 8 + 8 + (int32_t)f->push_bytes);

    a.wide = true;
    return a;
}

static void param_fixup(struct fn *f)
{
    if (!vec_push(&f->param_fixups, masm_pos(&f->m) - 4))
        f->failed = true;
}

void fn_load_slot(struct fn *f, bool w, reg dst, int32_t slot)
{
    if (slot >= 0) {
        masm_load(&f->m, w, dst, fn_slot(f, slot));
        return;
    }
    masm_load(&f->m, w, dst, param_slot(f, slot));
    param_fixup(f);
}

void fn_store_slot(struct fn *f, bool w, int32_t slot, reg src)
{
    if (slot >= 0) {
        masm_store(&f->m, w, fn_slot(f, slot), src);
        return;
    }
    masm_store(&f->m, w, param_slot(f, slot), src);
    param_fixup(f);
}

int32_t fn_new_slot(struct fn *f)
{
    return (int32_t)f->slot_count++;
}

int32_t fn_stack_slot(struct fn *f, uint32_t height)
{
    if (f->stack_slots[height] == SLOT_NONE)
        f->stack_slots[height] = fn_new_slot(f);
    return f->stack_slots[height];
}

/* ---- locals ---- */

int32_t local_slot(struct fn *f, uint32_t index)
{
    struct local *l = fn_local(f, index);

    if (l->slot == SLOT_NONE)
        l->slot = fn_new_slot(f);
    return l->slot;
}

bool local_is_dead(struct fn *f, uint32_t index)
{
    const struct local *l = &f->locals[index];
    size_t low = 0, high = f->loop_starts.count;

    if (l->last_use >= f->pos || l->alias >= 0)
        return false;
    /* A loop around both the last use and this point, but not around the first set, may read it
     * again. The outermost open loop that begins behind the first set decides. */
    while (low < high) {
        size_t mid = (low + high) / 2;

        if (f->loop_starts.items[mid] >= l->first_set)
            high = mid;
        else
            low = mid + 1;
    }
    return low == f->loop_starts.count || f->loop_starts.items[low] > l->last_use;
}

void local_spill(struct fn *f, reg r)
{
    uint32_t index = f->reg_local[r];

    if (!(f->dirty & BIT(r)))
        return;
    f->dirty &= ~BIT(r);
    if ((f->pinned & BIT(r)) || !local_is_dead(f, index))
        fn_store_slot(f, type_is_wide(f->locals[index].type), local_slot(f, index), r);
}

void local_unbind(struct fn *f, reg r)
{
    f->locals[f->reg_local[r]].reg = NOREG;
    f->reg_local[r] = NONE;
    f->used &= ~BIT(r);
    f->dirty &= ~BIT(r);
}

void local_bind(struct fn *f, uint32_t index, reg r, bool dirty)
{
    fn_local(f, index)->reg = r;
    f->reg_local[r] = index;
    f->used |= BIT(r);
    if (dirty)
        f->dirty |= BIT(r);
    else
        f->dirty &= ~BIT(r);
}

void locals_spill_all(struct fn *f)
{
    for (uint32_t left = f->used; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);

        if (f->reg_local[r] == NONE)
            continue;
        local_spill(f, r);
        local_unbind(f, r);
    }
}

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

/* ---- local.get, local.set, local.tee ---- */

void emit_local_get(struct fn *f)
{
    stack_push_local(f, read_u32(f));
}

static reg local_place(struct fn *f, struct local *l)
{
    if (l->home != NOREG && !(f->used & BIT(l->home)))
        return l->home;
    return reg_alloc_high(f, type_class(l->type));
}

void emit_local_set(struct fn *f, bool tee)
{
    uint32_t index = read_u32(f);
    struct value v = stack_pop(f);
    struct local *l = fn_local(f, index);
    reg r;

    if (v.kind == VAL_LOCAL && v.local == index) {
        if (tee)
            stack_push(f, v);
        return;
    }
    materialize_aliases(f, index);
    l->version++;
    if (v.kind == VAL_LOCAL) {
        r = f->locals[v.local].reg;
        if (r != NOREG && local_is_dead(f, v.local)) {
            local_unbind(f, r);
            f->used |= BIT(r);
            v.kind = VAL_REG;
            v.reg = r;
        } else if (r != NOREG) {
            f->pinned |= BIT(r);
        }
    }
    if (v.kind == VAL_REG && l->reg != v.reg) {
        bool go_home = l->home != NOREG && l->home != v.reg &&
                       (l->reg == l->home || !(f->used & BIT(l->home)));

        if (!go_home) {
            if (l->reg != NOREG)
                local_unbind(f, l->reg);
            local_bind(f, index, v.reg, true);
        } else {
            r = l->home;
            masm_mov(&f->m, type_is_wide(l->type), r, v.reg);
            reg_free(f, v.reg);
            if (l->reg != NOREG && l->reg != r)
                local_unbind(f, l->reg);
            local_bind(f, index, r, true);
        }
    } else if (v.kind != VAL_REG) {
        r = l->reg != NOREG ? l->reg : local_place(f, l);
        value_move(f, &v, r);
        local_bind(f, index, r, true);
    }
    if (tee)
        stack_push_local(f, index);
}
