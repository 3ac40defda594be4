/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "plat/random.h"
#include "base/assert.h"
#include "plat/vmem.h"
#include <errno.h>
#include <sys/random.h>

void random_bytes(void *data, size_t size)
{
    char *to = data;

    vmem_prepare(data, size);
    while (size > 0) {
        ssize_t got = getrandom(to, size, 0);

        if (got < 0 && errno == EINTR)
            continue;
        ASSERT(got > 0 && "the kernel's random generator");
        to += got;
        size -= (size_t)got;
    }
}
