/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::timer: messages that are sent later. */
#include "host/internal.h"
#include "proc/send_timer.h"

struct outcome host_timer_send_after(struct guest *g, uint64_t process_id, uint64_t delay_ms)
{
    uint64_t delay_ns, id;

    if (!g->message)
        return guest_trap(g, "there is no current message");
    if (__builtin_mul_overflow(delay_ms, NS_PER_MS, &delay_ns))
        delay_ns = UINT64_MAX;
    if (!send_timer_start(g->process, process_id, g->message, delay_ns, &id, NULL))
        return guest_trap(g, "this process has too many timers");
    g->message = NULL;
    return done(id);
}

struct outcome host_timer_cancel_timer(struct guest *g, uint64_t timer_id)
{
    return done(send_timer_cancel(g->process, timer_id));
}
