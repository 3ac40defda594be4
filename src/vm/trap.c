/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vm/trap.h"

const char *trap_words(enum trap kind)
{
    static const char *const words[] = {
#define TRAP(name, text) text,
        TRAPS(TRAP)
#undef TRAP
    };

    return (unsigned)kind < TRAP_COUNT ? words[kind] : "unknown trap";
}
