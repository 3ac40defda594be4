/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A recursion that needs a large stack works, and gives the same with moving stacks. */
// expect: 200010000 7260
#include <stdio.h>

/* Its frame is in the runtime's hands alone; the empty statement keeps it from becoming a loop. */
__attribute__((noinline)) static long sum(long n)
{
    long below = n == 0 ? 0 : sum(n - 1);

    __asm__ volatile("" : "+r"(below));
    return below + n;
}

/* Its frame is in linear memory as well. */
static long sum_in_memory(volatile long n)
{
    return n == 0 ? 0 : n + sum_in_memory(n - 1);
}

int main(void)
{
    printf("%ld %ld\n", sum(20000), sum_in_memory(120));
    return 0;
}
