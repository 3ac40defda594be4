/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Unless it says otherwise a process dies with those it is linked to: 137. */
// exit: 137
#include <lunatic.h>
#include <stdio.h>

static void fail(const int *status)
{
    lun_exit(*status);
}

int main(void)
{
    int status = 1;

    LUN_SPAWN_LINK(fail, 1, &status);
    lun_sleep(60000);
    puts("still here");
    return 0;
}
