/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lazy_image.c in memories of 4 MB, which lie elsewhere. */
// build: -Wl,-z,stack-size=1048576 -Wl,--stack-first -Wl,--initial-memory=4194304
// expect: 600 tasks, 0 wrong
#include "lazy_image.c"
