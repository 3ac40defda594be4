/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Lua lets its errors be thrown and caught by other means than setjmp: here a trap, which
 * lunatic::trap::catch catches. A trap that is no error of Lua's goes on. */
#ifndef TEST_LUA_WASI_H
#define TEST_LUA_WASI_H

#include <stdbool.h>

struct lua_call {
    void (*function)(void *state, void *argument);
    void *state, *argument;
};

/* False: it trapped. */
bool lua_try(struct lua_call *call);

#define luai_jmpbuf      int
#define LUAI_THROW(L, c) __builtin_trap()
#define LUAI_TRY(L, c, a)                                                                          \
    if (!lua_try(&(struct lua_call){(void (*)(void *, void *))f, L, ud}) && (c)->status == 0)      \
        __builtin_trap();
#endif
