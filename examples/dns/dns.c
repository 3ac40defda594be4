/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A small name server: it answers for the names in a file in the form of /etc/hosts, and for
 * nothing else (RFC 1035). `dns.wasm [ADDRESS:PORT [FILE]]`
 *
 * The socket is one, and several processes receive from it: each datagram goes to one of them. */
#include <ctype.h>
#include <lunatic/net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS       4
#define HEADER_SIZE   12
#define MESSAGE_MAX   512 /* bytes of an answer over UDP; of a question, too */
#define NAME_MAX      256
#define LABEL_MAX     63
#define LINE_MAX      1024
#define ENTRIES_MAX   10000
#define ANSWERS_MAX   16
#define TTL_S         60
#define QUESTION_NAME 0xc00c /* "the name that is at offset 12": the question's */

enum { TYPE_A = 1, TYPE_AAAA = 28, TYPE_ANY = 255, CLASS_IN = 1 };
enum { NO_ERROR = 0, FORMAT_ERROR = 1, NO_SUCH_NAME = 3, NOT_IMPLEMENTED = 4 };

/* A line of the file has one of these for each of its names. */
struct entry {
    char name[NAME_MAX]; /* in lower case, without a dot at its end */
    lun_address address;
};

/* ---- The file ---- */

static struct entry *entries;
static size_t entry_count;

static void add_entry(const lun_address *address, const char *name)
{
    static size_t space;
    size_t size = strlen(name), i;
    struct entry *e;

    if (size > 0 && name[size - 1] == '.')
        size--;
    if (size == 0 || size >= NAME_MAX || entry_count == ENTRIES_MAX)
        return;
    if (entry_count == space) {
        space = space ? 2 * space : 64;
        entries = realloc(entries, space * sizeof *entries);
        if (!entries)
            abort();
    }
    e = &entries[entry_count++];
    memset(e, 0, sizeof *e);
    for (i = 0; i < size; i++)
        e->name[i] = (char)tolower((unsigned char)name[i]);
    e->address = *address;
}

static bool read_entries(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[LINE_MAX];

    if (!f)
        return false;
    while (fgets(line, sizeof line, f)) {
        char with_port[LINE_MAX + 8], *rest, *word;
        lun_address address;

        line[strcspn(line, "#\n")] = '\0';
        word = strtok_r(line, " \t\r", &rest);
        if (!word)
            continue;
        snprintf(with_port, sizeof with_port, strchr(word, ':') ? "[%s]:53" : "%s:53", word);
        if (!lun_address_parse(&address, with_port))
            continue;
        while ((word = strtok_r(NULL, " \t\r", &rest)) != NULL)
            add_entry(&address, word);
    }
    fclose(f);
    return true;
}

/* ---- Messages ---- */

static unsigned read_16(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static unsigned char *put_16(unsigned char *at, unsigned n)
{
    at[0] = (unsigned char)(n >> 8);
    at[1] = (unsigned char)n;
    return at + 2;
}

/* Reads the name at `at`, of which the labels are lengths and bytes, into `name`, and returns where
 * it ends; NULL: it is none. Questions have no use for pointers to other names. */
static const unsigned char *read_name(const unsigned char *at, const unsigned char *end,
                                      char name[NAME_MAX])
{
    size_t size = 0;

    for (;;) {
        unsigned length, i;

        if (at == end || (length = *at++) > LABEL_MAX || (size_t)(end - at) < length ||
            size + length + 1 >= NAME_MAX)
            return NULL;
        if (length == 0)
            break;
        if (size > 0)
            name[size++] = '.';
        for (i = 0; i < length; i++) {
            if (at[i] <= ' ' || at[i] == '.')
                return NULL;
            name[size++] = (char)tolower(at[i]);
        }
        at += length;
    }
    name[size] = '\0';
    return at;
}

static unsigned char *put_answer(unsigned char *at, const lun_address *a)
{
    size_t size = a->family == 4 ? 4 : 16;

    at = put_16(at, QUESTION_NAME);
    at = put_16(at, a->family == 4 ? TYPE_A : TYPE_AAAA);
    at = put_16(at, CLASS_IN);
    at = put_16(at, 0);
    at = put_16(at, TTL_S);
    at = put_16(at, (unsigned)size);
    memcpy(at, a->bytes, size);
    return at + size;
}

/* Turns the question of `size` bytes in `message` into its answer, and returns the answer's size;
 * 0: there is to be none. */
static size_t answer(unsigned char message[MESSAGE_MAX], size_t size)
{
    unsigned flags, count = 0, code = NO_ERROR, type;
    unsigned char *at = message + HEADER_SIZE;
    const unsigned char *end;
    char name[NAME_MAX];
    bool known = false;
    size_t i;

    if (size < HEADER_SIZE || (message[2] & 0x80))
        return 0; /* no question: an answer to it might be answered, for ever */
    flags = read_16(message + 2);
    end = read_name(message + HEADER_SIZE, message + size, name);
    if ((flags >> 11 & 15) != 0) {
        code = NOT_IMPLEMENTED;
    } else if (read_16(message + 4) != 1 || !end || message + size - end < 4) {
        code = FORMAT_ERROR;
    } else {
        at = message + (end - message) + 4;
        type = read_16(end);
        for (i = 0; i < entry_count && read_16(end + 2) == CLASS_IN; i++) {
            const lun_address *a = &entries[i].address;

            if (strcmp(entries[i].name, name) != 0)
                continue;
            known = true;
            if (count < ANSWERS_MAX && at + 28 <= message + MESSAGE_MAX &&
                (type == TYPE_ANY || type == (a->family == 4 ? TYPE_A : TYPE_AAAA))) {
                at = put_answer(at, a);
                count++;
            }
        }
        if (!known)
            code = NO_SUCH_NAME;
    }
    put_16(message + 2, 0x8400 | (flags & 0x7900) | code); /* an answer, with authority */
    put_16(message + 4, at > message + HEADER_SIZE);
    put_16(message + 6, count);
    put_16(message + 8, 0);
    put_16(message + 10, 0);
    return (size_t)(at - message);
}

/* ---- Processes ---- */

struct work {
    char path[256];
};

static void work(const struct work *w)
{
    unsigned char message[MESSAGE_MAX];
    lun_message m;
    lun_udp udp;

    if (!read_entries(w->path) || lun_receive(&m, LUN_FOREVER) != 0)
        lun_exit(1);
    udp = lun_take_udp();
    for (;;) {
        lun_address from;
        long size = lun_udp_receive(&udp, message, sizeof message, &from);
        size_t answer_size = size > 0 ? answer(message, (size_t)size) : 0;

        if (answer_size > 0)
            lun_udp_send_to(&udp, message, answer_size, &from);
    }
}

int main(int argc, char **argv)
{
    const char *where = argc > 1 ? argv[1] : "127.0.0.1:5353";
    const char *path = argc > 2 ? argv[2] : "names";
    char text[LUN_ADDRESS_TEXT_SIZE];
    struct work w = {""};
    lun_message message;
    lun_address address;
    lun_udp udp;
    int i;

    if (strlen(path) >= sizeof w.path || !read_entries(path)) {
        fprintf(stderr, "dns: cannot read %s\n", path);
        return 1;
    }
    if (lun_udp_bind(&udp, where) != 0 || lun_udp_address(&udp, &address) != 0) {
        fprintf(stderr, "dns: %s: %s\n", where, lun_error_text());
        return 1;
    }
    strcpy(w.path, path);
    for (i = 0; i < WORKERS; i++) {
        lun_udp clone = lun_udp_clone(&udp);
        lun_process p = LUN_SPAWN_LINK(work, 0, &w);

        if (p == 0) {
            fprintf(stderr, "dns: %s\n", lun_error_text());
            return 1;
        }
        lun_send_udp(p, 1, &clone, NULL, 0);
    }
    printf("listening on %s\n", lun_address_text(&address, text));
    fflush(stdout);
    lun_receive(&message, LUN_FOREVER); /* the workers' failure is ours */
    return 1;
}
