/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The hub, and rooms. */
#include "chat.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM  "lobby"
#define MEMBERS_MAX 100000
#define ROOMS_MAX   1000

static void *grow(void *items, size_t *space, size_t count, size_t size)
{
    if (count < *space)
        return items;
    *space = *space ? 2 * *space : 16;
    items = realloc(items, *space * size);
    if (!items)
        abort();
    return items;
}

/* ---- A room ---- */

static struct {
    struct member *members;
    size_t count, space;
} room;

static struct member *find_member(lun_process session)
{
    size_t i;

    for (i = 0; i < room.count; i++) {
        if (room.members[i].session == session)
            return &room.members[i];
    }
    return NULL;
}

static void tell_all(const char *text, size_t size)
{
    size_t i;

    for (i = 0; i < room.count; i++)
        lun_send(room.members[i].writer, TEXT, text, size);
}

static void tell_who(lun_process writer)
{
    char text[TEXT_MAX];
    size_t i, size = (size_t)snprintf(text, sizeof text, "* %zu here:", room.count);

    for (i = 0; i < room.count; i++) {
        if (size + NAME_MAX + 8 > sizeof text) { /* a long list goes in pieces */
            lun_send(writer, TEXT, text, size);
            size = 0;
        }
        size += (size_t)snprintf(text + size, sizeof text - size, " %s", room.members[i].name);
    }
    memcpy(text + size, "\r\n", 2);
    lun_send(writer, TEXT, text, size + 2);
}

static void change_members(int64_t what, const struct member *m)
{
    struct member *old = find_member(m->session);
    char text[TEXT_MAX];
    int size = 0;

    if (what == ADD) {
        room.members = grow(room.members, &room.space, room.count, sizeof *room.members);
        room.members[room.count++] = *m;
        size = snprintf(text, sizeof text, "* %s is here.\r\n", m->name);
    } else if (what == REMOVE && old) {
        size = snprintf(text, sizeof text, "* %s has left.\r\n", old->name);
        *old = room.members[--room.count];
    } else if (what == CHANGE && old) {
        size = snprintf(text, sizeof text, "* %s is %s now.\r\n", old->name, m->name);
        *old = *m;
    }
    if (size > 0)
        tell_all(text, (size_t)size);
}

static void run_room(const void *data, size_t data_size)
{
    lun_message message;

    (void)data;
    (void)data_size;
    while (lun_receive(&message, LUN_FOREVER) == 0) {
        char text[TEXT_MAX];
        struct member m;
        lun_process writer;

        if (message.tag == SAY)
            tell_all(text, lun_read(text, sizeof text));
        else if (message.tag == WHO && LUN_READ(&writer) == 0)
            tell_who(writer);
        else if (message.tag != WHO && LUN_READ(&m) == 0)
            change_members(message.tag, &m);
    }
}

/* ---- The hub ---- */

static struct guest {
    struct member member;
    size_t room; /* index */
} *guests;

static struct {
    char name[NAME_MAX];
    lun_process process;
    size_t count; /* of people in it; 0: the place is free */
} rooms[ROOMS_MAX];

static size_t guest_count, guest_space;

/* The guest whom this process serves or, if it is 0, the one of this name. */
static struct guest *find_guest(lun_process session, const char *name)
{
    size_t i;

    for (i = 0; i < guest_count; i++) {
        const struct member *m = &guests[i].member;

        if (session != 0 ? m->session == session : strcmp(m->name, name) == 0)
            return &guests[i];
    }
    return NULL;
}

/* Counts one more in the room of that name, which is made if there is none. ROOMS_MAX: it cannot.
 */
static size_t open_room(const char *name)
{
    size_t i, place = ROOMS_MAX;

    for (i = 0; i < ROOMS_MAX; i++) {
        if (rooms[i].count > 0 && strcmp(rooms[i].name, name) == 0) {
            rooms[i].count++;
            return i;
        }
        if (rooms[i].count == 0 && place == ROOMS_MAX)
            place = i;
    }
    if (place == ROOMS_MAX)
        return place;
    rooms[place].process = lun_spawn_link(run_room, 0, NULL, 0);
    if (rooms[place].process == 0)
        return ROOMS_MAX;
    snprintf(rooms[place].name, sizeof rooms[place].name, "%s", name);
    rooms[place].count = 1;
    return place;
}

/* Takes a guest out of his room, which ends with its last one. */
static void leave_room(struct guest *g)
{
    LUN_SEND(rooms[g->room].process, REMOVE, &g->member);
    if (--rooms[g->room].count == 0) {
        lun_unlink(rooms[g->room].process);
        lun_kill(rooms[g->room].process);
    }
}

static struct answer enter(const struct request *q)
{
    struct answer answer = {REFUSED, 0};
    struct guest *g;
    size_t place;

    if (find_guest(0, q->word)) {
        answer.status = TAKEN;
        return answer;
    }
    if (guest_count == MEMBERS_MAX || (place = open_room(FIRST_ROOM)) == ROOMS_MAX)
        return answer;
    guests = grow(guests, &guest_space, guest_count, sizeof *guests);
    g = &guests[guest_count++];
    memset(g, 0, sizeof *g);
    g->member.session = q->session;
    g->member.writer = q->writer;
    snprintf(g->member.name, sizeof g->member.name, "%s", q->word);
    g->room = place;
    answer.status = ACCEPTED;
    answer.room = rooms[place].process;
    LUN_SEND(answer.room, ADD, &g->member);
    lun_monitor(q->session);
    return answer;
}

static struct answer change_name(struct guest *g, const char *name)
{
    struct answer answer = {ACCEPTED, rooms[g->room].process};

    if (find_guest(0, name)) {
        answer.status = TAKEN;
        return answer;
    }
    snprintf(g->member.name, sizeof g->member.name, "%s", name);
    LUN_SEND(answer.room, CHANGE, &g->member);
    return answer;
}

static struct answer change_room(struct guest *g, const char *name)
{
    struct answer answer = {REFUSED, 0};
    size_t place = open_room(name);

    if (place == ROOMS_MAX)
        return answer;
    leave_room(g);
    g->room = place;
    answer.status = ACCEPTED;
    answer.room = rooms[place].process;
    LUN_SEND(answer.room, ADD, &g->member);
    return answer;
}

static struct answer answer_to(int64_t what, const struct request *q)
{
    static const struct answer refused = {REFUSED, 0};
    struct guest *g = find_guest(q->session, NULL);

    if (what == ENTER)
        return g ? refused : enter(q);
    if (!g)
        return refused;
    return what == RENAME ? change_name(g, q->word) : change_room(g, q->word);
}

void run_hub(const void *data, size_t size)
{
    lun_message message;

    (void)data;
    (void)size;
    while (lun_receive(&message, LUN_FOREVER) == 0) {
        struct request q;

        if (message.kind == LUN_PROCESS_DIED) {
            struct guest *g = find_guest(message.process, NULL);

            if (g) {
                leave_room(g);
                *g = guests[--guest_count];
            }
        } else if (message.kind == LUN_DATA && LUN_READ(&q) == 0) {
            struct answer answer = answer_to(message.tag, &q);

            LUN_SEND(q.session, q.reply_tag, &answer);
        }
    }
}
