/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names are seen by all processes, can be replaced and removed, and end with their process. */
// expect: none yet: -4
// expect: found by a child: 1
// expect: removed: -4
// expect: a dead one: -4
#include <lunatic.h>
#include <stdio.h>

static void look(const int *unused, lun_process *found)
{
    (void)unused;
    if (lun_lookup("main", found) != 0)
        *found = 0;
}

static void nothing(const int *unused)
{
    (void)unused;
}

int main(void)
{
    lun_process p = 0;
    int zero = 0;
    lun_task task;

    printf("none yet: %d\n", lun_lookup("main", &p));
    lun_register("main", 12345);
    lun_register("main", lun_self());
    task = LUN_START(look, &zero, &p);
    if (lun_wait(&task, LUN_FOREVER) != 0)
        return 1;
    printf("found by a child: %d\n", p == lun_self());
    lun_unregister("main");
    printf("removed: %d\n", lun_lookup("main", &p));
    p = LUN_SPAWN(nothing, &zero);
    lun_register("dead", p);
    while (lun_exists(p))
        lun_sleep(1);
    printf("a dead one: %d\n", lun_lookup("dead", &p));
    return 0;
}
