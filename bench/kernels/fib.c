/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

__attribute__((noinline)) static uint32_t fib(uint32_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

uint64_t kernel_fib(void)
{
    return fib(27);
}
