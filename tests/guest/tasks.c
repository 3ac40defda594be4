/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Many tasks at once, each with its own result; time-outs, and ends without a result. */
// expect: sum of squares 338350
// expect: not yet, then 6
// expect: failed: -2, left without a result: -2, killed: -2
#include <lunatic.h>
#include <stdio.h>

static void square(const int *n, int *result)
{
    *result = *n * *n;
}

static void slow(const int *n, int *result)
{
    lun_sleep(100);
    *result = *n * 2;
}

static void leave(const int *status, int *result)
{
    *result = 1;
    lun_exit(*status);
}

static void stay(const int *n, int *result)
{
    lun_sleep(LUN_FOREVER);
    *result = *n;
}

int main(void)
{
    int numbers[100], results[100], sum = 0, three = 3, i, result, one = 1, none = 0;
    lun_task tasks[100], task, other, third;

    for (i = 0; i < 100; i++) {
        numbers[i] = i + 1;
        tasks[i] = LUN_START(square, &numbers[i], &results[i]);
    }
    for (i = 99; i >= 0; i--) {
        if (lun_wait(&tasks[i], LUN_FOREVER) != 0)
            return 1;
        sum += results[i];
    }
    printf("sum of squares %d\n", sum);

    task = LUN_START(slow, &three, &result);
    i = lun_wait(&task, 1);
    if (lun_wait(&task, 60000) != 0)
        return 2;
    printf("%s, then %d\n", i == -LUN_ETIMEOUT ? "not yet" : "at once", result);

    lun_die_with_links(false);
    task = LUN_START(leave, &one, &result);
    other = LUN_START(leave, &none, &result);
    third = LUN_START(stay, &none, &result);
    lun_kill(third.process);
    printf("failed: %d, ", lun_wait(&task, 60000));
    printf("left without a result: %d, ", lun_wait(&other, 60000));
    printf("killed: %d\n", lun_wait(&third, 60000));
    return 0;
}
