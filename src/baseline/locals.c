/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Locals and the frame: where a local is, whether anybody reads it again, its slot. */
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
