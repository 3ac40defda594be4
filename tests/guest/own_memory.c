/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Each process has its own variables: as the source initialises them at its start. */
// expect: child sees 5 0 and 9
// expect: parent still has 6 1
#include <lunatic.h>
#include <stdio.h>
#include <stdlib.h>

static int initialised = 5;
static int zero;
static int constructed;

__attribute__((constructor)) static void construct(void)
{
    constructed = 9;
}

static void child(const int *unused, int *result)
{
    (void)unused;
    printf("child sees %d %d and %d\n", initialised, zero, constructed);
    initialised = 100;
    zero = 100;
    *result = 0;
}

int main(void)
{
    int nothing = 0, result;
    lun_task task;

    initialised++;
    zero++;
    task = LUN_START(child, &nothing, &result);
    if (lun_wait(&task, LUN_FOREVER) != 0)
        return 1;
    printf("parent still has %d %d\n", initialised, zero);
    return 0;
}
