/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the processes of the chat tell each other. */
#ifndef CHAT_H
#define CHAT_H

#include <lunatic/net.h>

#define NAME_MAX 24   /* bytes of a name or a room, with the 0 */
#define TEXT_MAX 1024 /* bytes of what is written at once */

/* Tags of messages. */
enum {
    TEXT = 1, /* to a writer: bytes to be written */
    ENTER,    /* to the hub: a request; the word is the name */
    RENAME,   /* the same with another name, when entered */
    JOIN,     /* the same with the room */
    ADD,      /* from the hub to a room: a member */
    REMOVE,   /* from the hub to a room: a member */
    CHANGE,   /* from the hub to a room: a member with his new name */
    SAY,      /* from a session to its room: a line */
    WHO,      /* from a session to its room: its writer, who wants a list of members */
};

struct request {
    lun_process session, writer;
    int64_t reply_tag; /* of the `struct answer` */
    char word[NAME_MAX];
};

struct answer {
    enum { ACCEPTED, TAKEN, REFUSED } status;
    lun_process room; /* after ENTER and JOIN */
};

struct member {
    lun_process session, writer;
    char name[NAME_MAX];
};

/* Sends a text to a writer. */
void say(lun_process writer, const char *text);

/* What hub and rooms do. */
void run_hub(const void *data, size_t size);

#endif
