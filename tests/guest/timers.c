/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Messages sent later arrive in the order of their times; a cancelled one does not. */
// expect: 1
// expect: 2
// expect: 3
// expect: cancelled 1, again 0, late 0
#include <lunatic.h>
#include <stdio.h>

int main(void)
{
    lun_message message;
    uint64_t timer, fired;
    int i, n, one;

    n = 3;
    lun_send_after(lun_self(), 1, &n, sizeof n, 120);
    n = 1;
    fired = lun_send_after(lun_self(), 1, &n, sizeof n, 0);
    n = 4;
    timer = lun_send_after(lun_self(), 1, &n, sizeof n, 90);
    n = 2;
    lun_send_after(lun_self(), 1, &n, sizeof n, 60);
    one = lun_cancel(timer);
    for (i = 0; i < 3; i++) {
        if (lun_receive_tag(&message, 1, 60000) != 0 || LUN_READ(&n) != 0)
            return 1;
        printf("%d\n", n);
    }
    printf("cancelled %d, again %d, late %d\n", one, lun_cancel(timer), lun_cancel(fired));
    return lun_receive(&message, 10) == -LUN_ETIMEOUT ? 0 : 1;
}
