/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The C library for WASI has none; Lua includes it even where it does not jump. */
#ifndef TEST_SETJMP_H
#define TEST_SETJMP_H
#endif
