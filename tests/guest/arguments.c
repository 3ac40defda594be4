/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A child sees the arguments of the program, as it shares the configuration. */
// run: one two
// expect: arguments.wasm one two
// expect: 3
#include <lunatic.h>
#include <lunatic/host.h>
#include <stdio.h>
#include <stdlib.h>

static void count(const int *unused, uint32_t *result)
{
    uint32_t size;

    (void)unused;
    if (lunatic_wasi_args_sizes_get(LUN_ADDRESS(result), LUN_ADDRESS(&size)) != 0)
        abort();
}

int main(int argc, char **argv)
{
    int zero = 0;
    uint32_t seen;
    lun_task task = LUN_START(count, &zero, &seen);

    if (argc != 3 || lun_wait(&task, LUN_FOREVER) != 0)
        return 1;
    printf("%s %s %s\n%u\n", argv[0], argv[1], argv[2], (unsigned)seen);
    return 0;
}
