/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Arguments and results of every size arrive whole: in parameters, in a message, on the stack, on
 * the heap. */
// expect: all sizes arrived
#include <lunatic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct report {
    lun_process to;
};

static unsigned sum(const unsigned char *bytes, size_t size)
{
    unsigned s = (unsigned)size;
    size_t i;

    for (i = 0; i < size; i++)
        s = s * 31 + bytes[i];
    return s;
}

/* The first 8 bytes are whom to tell the sum of all; fewer than 8: nobody, so the name says. */
static void check(const void *data, size_t size)
{
    unsigned s = sum(data, size);
    lun_process parent;

    if ((uintptr_t)data % 16 != 0 && size > 0)
        abort();
    if (lun_lookup("parent", &parent) == 0)
        LUN_SEND(parent, 7, &s);
}

struct big {
    unsigned char bytes[100000];
};

static void invert(const struct big *in, struct big *out)
{
    size_t i;

    for (i = 0; i < sizeof in->bytes; i++) {
        if (out->bytes[i] != 0)
            abort();
        out->bytes[i] = (unsigned char)~in->bytes[i];
    }
}

int main(void)
{
    static const size_t sizes[] = {0, 1, 8, 31, 32, 33, 100, 4096, 4097, 1 << 20};
    static struct big in, out;
    unsigned char *bytes = malloc(1 << 20);
    lun_message message;
    lun_task task;
    unsigned s;
    size_t i;

    lun_register("parent", lun_self());
    for (i = 0; i < 1 << 20; i++)
        bytes[i] = (unsigned char)(i * 7);
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (!lun_spawn_link(check, 3, bytes, sizes[i]))
            return 1;
        if (lun_receive_tag(&message, 7, LUN_FOREVER) != 0 || LUN_READ(&s) != 0 ||
            s != sum(bytes, sizes[i]))
            return 2;
    }
    memcpy(in.bytes, bytes, sizeof in.bytes);
    task = LUN_START(invert, &in, &out);
    if (lun_wait(&task, LUN_FOREVER) != 0)
        return 3;
    for (i = 0; i < sizeof in.bytes; i++) {
        if (out.bytes[i] != (unsigned char)~in.bytes[i])
            return 4;
    }
    puts("all sizes arrived");
    return 0;
}
