/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The locals that a loop keeps in registers: chosen at its header, by the scan. */
#include "baseline/internal.h"

void loop_set_homes(struct fn *f, bool on)
{
    const struct state *s;

    if (!f->open_loops.count)
        return;
    s = &f->labels.items[f->open_loops.items[f->open_loops.count - 1]].target;
    for (uint32_t left = s->used; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);

        f->locals[s->local[r]].home = on ? r : NOREG;
    }
}

/* The heaviest locals of the loop, at most `max` of a class, heaviest first. */
static unsigned choose(struct fn *f, const struct loop *loop, bool floats, unsigned max,
                       struct loop_use *out)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < loop->use_count; i++) {
        struct loop_use use = f->uses.items[loop->first_use + i];
        unsigned at = n;

        if (type_is_float(fn_local(f, use.local)->type) != floats)
            continue;
        if (f->locals[use.local].first_set > f->pos)
            continue; /* always set inside before it is read */
        while (at > 0 && out[at - 1].weight < use.weight)
            at--;
        if (at >= max)
            continue;
        if (n < max)
            n++;
        memmove(&out[at + 1], &out[at], (n - 1 - at) * sizeof(*out));
        out[at] = use;
    }
    return n;
}

/* Brings the chosen locals of a class into registers that they keep through the loop. */
static void place(struct fn *f, const struct loop *loop, bool floats)
{
    uint32_t homes = floats ? XMM_HOMES : GPR_HOMES, all = floats ? XMM_ALL : GPR_ALL;
    struct loop_use chosen[16];
    uint32_t keep = 0, written = 0;
    unsigned n = choose(f, loop, floats, (unsigned)__builtin_popcount(homes), chosen);
    unsigned missing = 0;

    for (unsigned i = 0; i < n; i++) {
        reg r = f->locals[chosen[i].local].reg;

        if (r != NOREG && (homes & BIT(r)))
            keep |= BIT(r);
        else
            missing++;
    }
    for (uint32_t left = f->used & all & ~keep; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);
        uint32_t index = f->reg_local[r];
        bool is_chosen = false;

        if (index == NONE)
            continue;
        for (unsigned i = 0; i < n; i++)
            is_chosen |= chosen[i].local == index;
        if (is_chosen) /* in a register for temporaries: moved below */
            continue;
        if ((homes & BIT(r)) && !loop->has_calls && !local_is_dead(f, index) &&
            (unsigned)__builtin_popcount(homes & ~f->used) > missing)
            continue; /* there is room for it: stays for the loop around this one */
        local_spill(f, r);
        local_unbind(f, r);
    }
    for (unsigned i = 0; i < n; i++) {
        uint32_t index = chosen[i].local, available = homes & ~f->used;
        struct local *l = fn_local(f, index);
        reg r = l->reg, to;

        if (r != NOREG && (homes & BIT(r))) {
            if (chosen[i].is_written || loop->is_cut)
                written |= BIT(r);
            continue;
        }
        if (!available)
            break;
        to = l->home != NOREG && (available & BIT(l->home)) ? l->home
                                                            : (reg)(31 - __builtin_clz(available));
        if (r != NOREG) {
            bool dirty = f->dirty & BIT(r);

            masm_mov(&f->m, type_is_wide(l->type), to, r);
            local_unbind(f, r);
            local_bind(f, index, to, dirty);
        } else {
            fn_load_slot(f, type_is_wide(l->type), to, local_slot(f, index));
            local_bind(f, index, to, false);
        }
        if (chosen[i].is_written || loop->is_cut)
            written |= BIT(to);
    }
    for (uint32_t left = f->used & all & ~homes; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);

        if (f->reg_local[r] != NONE) { /* no room was left */
            local_spill(f, r);
            local_unbind(f, r);
        }
    }
    for (uint32_t left = f->used & all & f->dirty & ~written; left; left &= left - 1) {
        reg r = (reg)__builtin_ctz(left);

        if (loop->has_calls)
            local_spill(f, r); /* once here instead of at each call */
    }
    f->dirty |= written;
}

void loop_open(struct fn *f, struct label *l)
{
    const struct loop *loop = &f->loops.items[l->loop];

    place(f, loop, false);
    place(f, loop, true);
    if (loop->uses_memory)
        fn_memory_registers(f);
    else if (loop->has_calls)
        f->memory_valid = false;
    state_save(f, &l->target);
    l->has_target = true;
    /* Checks go on covering locals that the loop leaves alone. */
    if (loop->is_cut) {
        fn_checks_drop(f, 0);
    } else {
        for (uint32_t i = 0; i < loop->use_count; i++) {
            struct loop_use use = f->uses.items[loop->first_use + i];

            for (unsigned k = 0; use.is_written && k < CHECKS; k++)
                if (f->checks[k].local == use.local)
                    f->checks[k].local = NONE;
        }
    }
    loop_set_homes(f, false);
    if (!vec_push(&f->open_loops, (uint32_t)f->labels.count) || !vec_push(&f->loop_starts, f->pos))
        f->failed = true;
}

void loop_close(struct fn *f)
{
    loop_set_homes(f, false);
    f->open_loops.count--;
    f->loop_starts.count--;
    loop_set_homes(f, true);
}
