/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Receiving by tag leaves others in place and keeps their order; timeouts come when nothing does.
 */
// expect: 3 30
// expect: 2 20
// expect: timeout
// expect: 1 10
// expect: 4 40
// expect: 1 11
// expect: nothing left
// expect: too long, then the rest: 12345678
#include <lunatic.h>
#include <stdio.h>

static void show(int status, lun_message *message)
{
    int value;

    if (status == -LUN_ETIMEOUT)
        puts("timeout");
    else if (message->kind == LUN_DATA && message->size == sizeof value && LUN_READ(&value) == 0)
        printf("%lld %d\n", (long long)message->tag, value);
}

static void put(int64_t tag, int value)
{
    LUN_SEND(lun_self(), tag, &value);
}

int main(void)
{
    static const int64_t two_or_five[] = {5, 2};
    lun_message message;
    char bytes[9] = "";
    int number, status;

    put(1, 10);
    put(4, 40);
    put(2, 20);
    put(3, 30);
    put(1, 11);
    show(lun_receive_tag(&message, 3, LUN_FOREVER), &message);
    show(lun_receive_tags(&message, two_or_five, 2, LUN_FOREVER), &message);
    show(lun_receive_tag(&message, 3, 5), &message);
    for (;;) {
        status = lun_receive(&message, 0);
        if (status != 0)
            break;
        show(status, &message);
    }
    puts("nothing left");
    lun_send(lun_self(), 0, "12345678", 8);
    if (lun_receive(&message, 0) != 0 || message.size != 8 || message.tag != 0)
        return 1;
    status = LUN_READ(&number); /* reads 4 of 8, then finds one more */
    lun_send(lun_self(), 0, "12345678", 8);
    if (lun_receive(&message, 0) != 0 || lun_read(bytes, 3) != 3 || lun_read(bytes + 3, 100) != 5)
        return 2;
    printf("%s, then the rest: %s\n", status == -LUN_ESIZE ? "too long" : "right", bytes);
    return 0;
}
