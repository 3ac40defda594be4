/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A trap of the main process is reported with its functions and gives 134. */
// exit: 134
// error: unreachable
// error: deep_inside
#include <stdlib.h>

__attribute__((noinline)) void deep_inside(volatile int *n)
{
    if (*n)
        abort();
    ++*n;
}

int main(void)
{
    volatile int n = 1;

    deep_inside(&n);
    return n;
}
