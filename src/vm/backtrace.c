/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vm/backtrace.h"
#include "vm/code.h"
#include "vm/internal.h"
#include "vm/link.h"
#include "vm/resume.h"

#include <string.h>

/* A walk from return address to return address. `sp` is where the frame that `pc` returns into
 * begins. */
struct walk {
    const uint8_t *sp;
    const void *pc;
    bool at_entry; /* the frame of `pc` has not been allocated */
    bool at_begin; /* `pc` is an instruction, not a return address */
    size_t count, room;
    size_t skip;  /* innermost frames that are counted only */
    bool is_lazy; /* ends when there is no room for more */
    struct frame *frames;
};

static void note(struct walk *w, const struct code *c, const struct code_range *r)
{
    if (w->count >= w->skip && w->count - w->skip < w->room) {
        const struct code_site *site = code_site_at(c, w->pc);

        w->frames[w->count - w->skip] = (struct frame){
            .module = c->module, .function = r->function, .offset = site ? site->offset : 0};
    }
    w->count++;
}

/* Walks the frames of one activation, which end at `end`. */
static void walk_activation(struct walk *w, const uint8_t *end)
{
    while (w->sp < end && !(w->is_lazy && w->count >= w->room)) {
        const struct code *c = code_at(w->pc);
        const struct code_range *r = NULL;
        const uint8_t *next;

        /* A return address may lie just behind its function: the call was its last instruction. */
        if (c)
            r = code_range_at(c, w->at_begin ? w->pc : (const uint8_t *)w->pc - 1);
        if (!r)
            return;
        w->at_begin = false;
        if (r->function != CODE_NO_FUNCTION)
            note(w, c, r);
        next = w->sp + (w->at_entry ? 0 : r->frame_size);
        w->at_entry = false;
        if ((size_t)(end - w->sp) < sizeof(void *) || next > end - sizeof(void *))
            return;
        memcpy(&w->pc, next, sizeof(w->pc));
        w->sp = next + sizeof(void *) + r->arg_bytes;
    }
}

static size_t walk(const struct fiber *f, struct frame *frames, size_t room, size_t skip,
                   bool is_lazy)
{
    struct walk w = {
        .frames = frames, .room = room, .skip = skip, .is_lazy = is_lazy, .sp = f->guest_sp};
    uint32_t marker = f->marker;

    if (f->preempted || f->trap_pc) {
        w.pc = f->trap_pc;
        w.at_entry = f->trap_at_entry;
    } else if (f->guest_ip == vm_fuel_continue) {
        memcpy(&w.pc, w.sp + SAVED_SIZE, sizeof(w.pc));
        w.sp += SAVED_SIZE + sizeof(w.pc);
    } else {
        w.pc = f->guest_ip;
        w.at_begin = true; /* a host call's stub: the place to go on at, not a return address */
    }
    while (marker && !(is_lazy && w.count >= room)) {
        const struct marker *m = marker_at(f, marker);

        walk_activation(&w, marker_record(m));
        w.sp = f->stack_top - m->guest_sp;
        w.pc = m->guest_ip;
        w.at_begin = true;
        marker = m->previous;
    }
    return w.count;
}

size_t fiber_frames(const struct fiber *f, struct frame *frames, size_t room)
{
    return walk(f, frames, room, 0, false);
}

size_t fiber_innermost(const struct fiber *f, struct frame *frames, size_t room)
{
    const struct code_range *r;
    const struct code *c;

    if (!f->preempted)
        return walk(f, frames, room, 0, true);
    /* Maybe in the middle of a prologue: where its frame is nobody knows. */
    c = code_at(f->guest_ip);
    r = c ? code_range_at(c, f->guest_ip) : NULL;
    if (!r || r->function == CODE_NO_FUNCTION || room == 0)
        return 0;
    frames[0] = (struct frame){.module = c->module, .function = r->function};
    return 1;
}

static bool print_frame(struct bytes *out, size_t number, const struct frame *frame)
{
    struct slice name = {0};

    if (frame->module)
        name = module_function_name(frame->module, frame->function);
    if (!bytes_printf(out, "%4zu: ", number))
        return false;
    if (name.size
            ? !link_print_name(out, name) || !bytes_printf(out, " (function %u)", frame->function)
            : !bytes_printf(out, "function %u", frame->function))
        return false;
    if (frame->offset && !bytes_printf(out, " at 0x%x", frame->offset))
        return false;
    return bytes_append_u8(out, '\n');
}

/* Frames with their numbers; a function that calls itself more than twice is folded. */
static bool print_frames(struct bytes *out, const struct frame *frames, size_t count, size_t number)
{
    for (size_t n = 0; n < count;) {
        size_t same = 1;

        while (n + same < count && frames[n + same].function == frames[n].function &&
               frames[n + same].module == frames[n].module)
            same++;
        if (!print_frame(out, number + n, &frames[n]))
            return false;
        if (same > 3) {
            if (!bytes_printf(out, "      ... %zu more of the same\n", same - 2) ||
                !print_frame(out, number + n + same - 1, &frames[n + same - 1]))
                return false;
            n += same;
        } else {
            n++;
        }
    }
    return true;
}

#define OUTERMOST 16u /* frames shown at the end of a long backtrace */

bool backtrace_print(const struct fiber *f, struct bytes *out)
{
    struct frame frames[BACKTRACE_FRAMES_MAX];
    size_t total = fiber_frames(f, frames, BACKTRACE_FRAMES_MAX);
    size_t first = BACKTRACE_FRAMES_MAX - OUTERMOST;

    if (total <= BACKTRACE_FRAMES_MAX)
        return print_frames(out, frames, total, 0);
    if (!print_frames(out, frames, first, 0) ||
        !bytes_printf(out, "      ... %zu more frames\n", total - BACKTRACE_FRAMES_MAX))
        return false;
    walk(f, frames, OUTERMOST, total - OUTERMOST, false);
    return print_frames(out, frames, OUTERMOST, total - OUTERMOST);
}
