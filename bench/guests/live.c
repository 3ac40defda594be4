/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Many live processes: each receives 100 bytes and waits again. live COUNT [printf]. Prints "ready"
 * when all have received, waits for a line on standard input, then lets each of them answer and
 * counts. */
#include "abi.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct note {
    uint64_t parent;
    char bytes[92];
};

EXPORT("waiter") void waiter(int64_t mode)
{
    struct note note;

    message_receive(0, 0, FOREVER);
    message_read_data(&note, 100);
    if (mode) {
        char text[64];

        snprintf(text, sizeof(text), "%d %s\n", (int)mode, note.bytes);
        if (fwrite(text, 1, 0, stdout))
            abort();
    }
    send_u64(note.parent, 1);
    message_receive(0, 0, FOREVER);
    send_u64(note.parent, process_id());
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 100000;
    int64_t mode = argc > 2 && strcmp(argv[2], "printf") == 0;
    uint64_t *ids = malloc((size_t)count * sizeof(*ids)), answered = 0;
    struct note note = {process_id(), "one hundred bytes"};
    char line[8];

    for (int i = 0; i < count; i++) {
        ids[i] = SPAWN("waiter", (uint64_t)mode);
        message_create_data(0, 100);
        message_write_data(&note, 100);
        message_send(ids[i]);
    }
    for (int i = 0; i < count; i++)
        receive_u64();
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        return 1;
    for (int i = 0; i < count; i++)
        send_u64(ids[i], 1);
    for (int i = 0; i < count; i++)
        answered += receive_u64() != 0;
    printf("answered %llu\n", (unsigned long long)answered);
    return answered == (uint64_t)count ? 0 : 1;
}
