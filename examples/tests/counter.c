/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "counter.h"
#include <assert.h>
#include <stdio.h>

enum { ADD = 1, GET = 2 };

struct get {
    lun_process from;
    int64_t tag;
};

static void count(const int *start)
{
    lun_message message;
    int value = *start;

    for (;;) {
        lun_receive(&message, LUN_FOREVER);
        if (message.tag == ADD) {
            int n = 0;

            LUN_READ(&n);
            printf("adding %d\n", n);
            fflush(stdout);
            assert(n >= 0);
            value += n;
        } else if (message.tag == GET) {
            struct get get;

            LUN_READ(&get);
            LUN_SEND(get.from, get.tag, &value);
        }
    }
}

lun_process counter_start(int start)
{
    return LUN_SPAWN_LINK(count, 0, &start);
}

void counter_add(lun_process counter, int n)
{
    LUN_SEND(counter, ADD, &n);
}

int counter_value(lun_process counter)
{
    struct get get = {lun_self(), lun_new_tag()};
    lun_message message;
    int value = 0;

    LUN_SEND(counter, GET, &get);
    lun_receive_tag(&message, get.tag, LUN_FOREVER);
    LUN_READ(&value);
    return value;
}
