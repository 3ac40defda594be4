/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What sessions and the store of the key-value service tell each other. */
#ifndef KV_H
#define KV_H

#include <lunatic/net.h>

#define KEY_MAX   250   /* bytes; UTF-8, printable, without spaces */
#define VALUE_MAX 65536 /* bytes of a value, and of an answer */
#define KEYS_MAX  100   /* keys listed at once */

enum operation { GET = 1, SET, DELETE, COUNT, KEYS };

/* A message to the store: this, then the key, then the value. Each session has one under way. */
struct request {
    lun_process from;
    int64_t tag; /* of the answer */
    int32_t operation;
    uint32_t key_size, value_size;
};

/* Its answer: this, then the value, the keys (a line each), or words about what went wrong. */
struct answer {
    enum { DONE, NONE, FAILED } status;
    uint32_t size;
    int64_t number; /* after COUNT */
};

/* Tag of what the store tells its parent, once: a `struct answer`. */
#define READY 1

struct store {
    lun_process parent;
    char path[256];
};

/* What the process does that has the database. */
void run_store(const struct store *s);

#endif
