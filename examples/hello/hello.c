/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A linked child prints, and its parent waits for its result. */
// expect~: Hello from process [0-9]+, a child of process 1\.
// expect: The child's result is 42.
#include <lunatic.h>
#include <stdio.h>

static void child(const lun_process *parent, int *result)
{
    printf("Hello from process %llu, a child of process %llu.\n", lun_self(), *parent);
    *result = 42;
}

int main(void)
{
    lun_process self = lun_self();
    int result;
    lun_task task = LUN_START(child, &self, &result);

    if (lun_wait(&task, LUN_FOREVER) != 0)
        return 1;
    printf("The child's result is %d.\n", result);
    return 0;
}
