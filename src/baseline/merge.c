/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Where control flow meets: every branch to a label leaves locals and results where the label wants
 * them. The target of a forward label is decided by the first branch to it, that of a loop at its
 * header. Results: one is in rax or xmm0; several, and all parameters of loops, are in the frame
 * slots of their places on the stack. */
#include "baseline/internal.h"

void state_save(struct fn *f, struct state *s)
{
    s->used = s->dirty = 0;
    s->memory_valid = f->memory_valid;
    for (uint32_t left = f->used; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);

        if (f->reg_local[r] == NONE || local_is_dead(f, f->reg_local[r]))
            continue;
        s->local[r] = f->reg_local[r];
        s->used |= BIT(r);
        s->dirty |= f->dirty & BIT(r);
    }
}

void state_restore(struct fn *f, const struct state *s)
{
    for (uint32_t left = f->used; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);

        if (f->reg_local[r] != NONE)
            local_unbind(f, r);
    }
    for (uint32_t left = s->used; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);

        local_bind(f, s->local[r], r, s->dirty & BIT(r));
    }
    f->memory_valid = s->memory_valid;
}

static bool label_takes_register(const struct label *l)
{
    return (l->kind == LABEL_BLOCK || l->kind == LABEL_IF || l->kind == LABEL_ELSE) &&
           l->result_count == 1;
}

static reg label_register(const struct label *l)
{
    return type_is_float(l->results[0]) ? XMM(0) : RAX;
}

void merge_target(struct fn *f, struct label *l)
{
    l->is_reached = true;
    if (l->has_target || l->kind == LABEL_FUNCTION)
        return;
    state_save(f, &l->target);
    if (label_takes_register(l))
        l->target.used &= ~BIT(label_register(l));
    l->has_target = true;
}

struct move value_to_move(struct fn *f, const struct value *v, reg dst)
{
    struct move mv = {.dst = dst, .src = NOREG, .w = type_is_wide(v->type), .slot = SLOT_NONE};

    switch (v->kind) {
    case VAL_REG:
        mv.src = v->reg;
        break;
    case VAL_LOCAL:
        mv.src = f->locals[v->local].reg;
        if (mv.src == NOREG)
            mv.slot = local_slot(f, v->local);
        break;
    case VAL_SLOT:
        mv.slot = v->slot;
        break;
    case VAL_CONST:
        mv.bits = v->bits;
        break;
    default:
        UNREACHABLE();
    }
    return mv;
}

struct plan {
    uint32_t stores; /* registers to write to their slots */
    unsigned move_count;
    struct move moves[REG_COUNT + 1];
    bool reload_memory;
};

static void plan_make(struct fn *f, const struct label *l, struct plan *p)
{
    const struct state *t = &l->target;

    p->stores = 0;
    p->move_count = 0;
    for (uint32_t left = f->used & f->dirty; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);
        uint32_t index = f->reg_local[r];
        bool stays = false;

        if ((t->used & BIT(r)) && t->local[r] == index) {
            stays = t->dirty & BIT(r);
        } else {
            for (uint32_t dirty = t->used & t->dirty; dirty; dirty &= dirty - 1)
                stays |= t->local[__builtin_ctz(dirty)] == index;
        }
        if (!stays && !local_is_dead(f, index))
            p->stores |= BIT(r);
    }
    for (uint32_t left = t->used; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);
        struct local *x = &f->locals[t->local[r]];
        struct move mv = {.dst = r, .src = x->reg, .w = type_is_wide(x->type), .slot = SLOT_NONE};

        if (x->reg == r || local_is_dead(f, t->local[r]))
            continue;
        if (x->reg == NOREG)
            mv.slot = local_slot(f, t->local[r]);
        p->moves[p->move_count++] = mv;
    }
    if (label_takes_register(l)) {
        const struct value *v = &f->stack[f->height - 1];
        reg dst = label_register(l);

        if (v->kind != VAL_REG || v->reg != dst)
            p->moves[p->move_count++] = value_to_move(f, v, dst);
    }
    p->reload_memory = t->memory_valid && !f->memory_valid;
}

/* The values that go to slots: all but a single result. */
static unsigned slot_values(const struct label *l)
{
    if (l->kind == LABEL_LOOP)
        return l->param_count;
    return l->result_count > 1 ? l->result_count : 0;
}

static bool value_in_slot(struct fn *f, const struct value *v, uint32_t height)
{
    return v->kind == VAL_SLOT && v->slot == fn_stack_slot(f, height);
}

bool merge_is_empty(struct fn *f, struct label *l)
{
    struct plan p;
    unsigned n;

    if (l->kind == LABEL_FUNCTION)
        return l->result_count == 0;
    n = slot_values(l);
    for (unsigned i = 0; i < n; i++)
        if (!value_in_slot(f, &f->stack[f->height - n + i], l->height + i))
            return false;
    plan_make(f, l, &p);
    return p.stores == 0 && p.move_count == 0 && !p.reload_memory;
}

static void store_value(struct fn *f, const struct value *v, struct mem to)
{
    bool w = type_is_wide(v->type);
    struct move mv = value_to_move(f, v, FSCRATCH);
    reg r = mv.src;

    if (r == NOREG) {
        r = FSCRATCH;
        if (mv.slot != SLOT_NONE) {
            fn_load_slot(f, w, r, mv.slot);
        } else if ((int64_t)mv.bits == (int32_t)mv.bits) {
            masm_store_imm(&f->m, 8, to, (int32_t)mv.bits);
            return;
        } else {
            fn_float_const(f, true, r, mv.bits);
            w = true;
        }
    }
    masm_store(&f->m, w, to, r);
}

void merge_emit(struct fn *f, struct label *l)
{
    struct plan p;
    unsigned n;

    if (l->kind == LABEL_FUNCTION) {
        emit_results(f);
        return;
    }
    n = slot_values(l);
    masm_reserve(&f->m, MASM_ROOM + (size_t)n * 32);
    /* From the bottom up: a value never lies below its destination, so none is overwritten. */
    for (unsigned i = 0; i < n; i++) {
        const struct value *v = &f->stack[f->height - n + i];

        if (!value_in_slot(f, v, l->height + i))
            store_value(f, v, fn_slot(f, fn_stack_slot(f, l->height + i)));
    }
    plan_make(f, l, &p);
    for (uint32_t left = p.stores; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);
        uint32_t index = f->reg_local[r];

        fn_store_slot(f, type_is_wide(f->locals[index].type), local_slot(f, index), r);
    }
    moves_emit(f, p.moves, p.move_count);
    if (p.reload_memory) {
        masm_load(&f->m, true, MEM_BASE, mem_at(INSTANCE, INSTANCE_MEMORY_BASE));
        masm_load(&f->m, true, MEM_LENGTH, mem_at(INSTANCE, INSTANCE_MEMORY_LENGTH));
    }
}

void moves_emit(struct fn *f, struct move *moves, unsigned count)
{
    struct move *pending[REG_COUNT + 4];
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++)
        if (moves[i].src != NOREG && moves[i].src != moves[i].dst)
            pending[n++] = &moves[i];
    while (n) {
        unsigned left = 0;

        for (unsigned i = 0; i < n; i++) {
            bool is_read = false;

            for (unsigned k = 0; k < left; k++)
                is_read |= pending[k]->src == pending[i]->dst;
            for (unsigned k = i + 1; k < n; k++)
                is_read |= pending[k]->src == pending[i]->dst;
            if (is_read)
                pending[left++] = pending[i];
            else
                masm_mov(&f->m, pending[i]->w, pending[i]->dst, pending[i]->src);
        }
        if (left == n) { /* only cycles: save one register that is about to be overwritten */
            reg dst = pending[0]->dst, scratch = IS_XMM(dst) ? FSCRATCH : SCRATCH;

            masm_mov(&f->m, true, scratch, dst);
            for (unsigned k = 0; k < n; k++)
                if (pending[k]->src == dst)
                    pending[k]->src = scratch;
        }
        n = left;
    }
    for (unsigned i = 0; i < count; i++) {
        const struct move *mv = &moves[i];

        if (mv->src != NOREG)
            continue;
        if (mv->slot != SLOT_NONE)
            fn_load_slot(f, mv->w, mv->dst, mv->slot);
        else if (IS_XMM(mv->dst))
            fn_float_const(f, mv->w, mv->dst, mv->bits);
        else
            masm_mov_imm(&f->m, mv->dst, mv->bits);
    }
}

void emit_results(struct fn *f)
{
    const struct functype *t = f->type;
    const struct value *v = &f->stack[f->height - t->result_count];
    struct move moves[2];
    unsigned n = 0;

    masm_reserve(&f->m, MASM_ROOM + (size_t)t->result_count * 32);
    if (t->result_count > 2) {
        masm_load(&f->m, true, SCRATCH, mem_at(INSTANCE, INSTANCE_RESULTS));
        for (uint32_t i = 2; i < t->result_count; i++)
            store_value(f, &v[i], mem_at(SCRATCH, (int32_t)(i - 2) * 8));
    }
    for (; n < t->result_count && n < 2; n++) {
        static const uint8_t places[2][2] = {{RAX, XMM(0)}, {RDX, XMM(1)}};

        moves[n] = value_to_move(f, &v[n], places[n][type_is_float(t->results[n])]);
    }
    moves_emit(f, moves, n);
}
