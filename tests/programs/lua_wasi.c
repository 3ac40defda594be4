/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "lua_wasi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((import_module("lunatic::trap"), import_name("catch"))) int trap_catch(int, void *);

__attribute__((export_name("_lunatic_catch_trap"))) int catch_trap(int function, void *pointer)
{
    struct lua_call *call = pointer;

    (void)function;
    call->function(call->state, call->argument);
    return 1;
}

bool lua_try(struct lua_call *call)
{
    return trap_catch(0, call) == 1;
}

/* What the C library for WASI declares but does not have. */
int system(const char *command)
{
    (void)command;
    errno = ENOTSUP;
    return -1;
}

FILE *tmpfile(void)
{
    errno = ENOTSUP;
    return NULL;
}

char *tmpnam(char *name)
{
    (void)name;
    return NULL;
}
