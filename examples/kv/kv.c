/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A key-value service on SQLite, over TCP. `kv.wasm [ADDRESS:PORT [FILE]]`
 *
 *     SET KEY SIZE     then SIZE bytes and an end of line     OK
 *     GET KEY                                                 VALUE SIZE, then the bytes; or NONE
 *     DELETE KEY                                              OK or NONE
 *     COUNT                                                   NUMBER N
 *     KEYS [AFTER]     at most 100, in order                  KEY KEY..., then END
 *     QUIT                                                    OK
 *
 * Lines end with LF or CR LF. What is not understood is answered with ERROR and words. OK means
 * that it is on the disk. */
#include "kv.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX (KEY_MAX + 32)
#define IN_SIZE  16384
#define OUT_SIZE 8192
#define IDLE_MS  600000

/* A connection. */
static struct {
    lun_stream *stream;
    lun_process store;
    char in[IN_SIZE];
    size_t begin, end;
    char out[OUT_SIZE];
    size_t out_size;
    bool ended;
} c;

static struct { /* a request with its bytes, as it is sent */
    struct request request;
    char bytes[KEY_MAX + VALUE_MAX];
} message;

static char bytes[VALUE_MAX]; /* of an answer */

/* ---- Bytes in and out ---- */

static void flush(void)
{
    if (c.out_size > 0 && lun_stream_write(c.stream, c.out, c.out_size) != 0)
        c.ended = true;
    c.out_size = 0;
}

static void put(const char *data, size_t size)
{
    if (size > OUT_SIZE - c.out_size)
        flush();
    if (size > OUT_SIZE) {
        if (!c.ended && lun_stream_write(c.stream, data, size) != 0)
            c.ended = true;
        return;
    }
    memcpy(c.out + c.out_size, data, size);
    c.out_size += size;
}

static void put_line(const char *line)
{
    put(line, strlen(line));
    put("\r\n", 2);
}

/* Reads more. Answers go out before: the client may wait for them. */
static bool fill(void)
{
    long n;

    flush();
    if (c.ended)
        return false;
    if (c.begin > 0) {
        memmove(c.in, c.in + c.begin, c.end - c.begin);
        c.end -= c.begin;
        c.begin = 0;
    }
    n = lun_stream_read(c.stream, c.in + c.end, IN_SIZE - c.end);
    if (n <= 0)
        return false;
    c.end += (size_t)n;
    return true;
}

/* Reads a line into `line`. False: the connection has ended, or the line is too long, which has
 * been answered. */
static bool read_line(char line[LINE_MAX])
{
    for (;;) {
        char *newline = memchr(c.in + c.begin, '\n', c.end - c.begin);
        size_t size = newline ? (size_t)(newline - (c.in + c.begin)) : c.end - c.begin;

        if (size >= LINE_MAX) {
            put_line("ERROR the line is too long");
            return false;
        }
        if (newline) {
            memcpy(line, c.in + c.begin, size);
            line[size] = '\0';
            if (size > 0 && line[size - 1] == '\r')
                line[size - 1] = '\0';
            c.begin += size + 1;
            return true;
        }
        if (!fill())
            return false;
    }
}

static bool read_bytes(char *to, size_t size)
{
    while (size > 0) {
        size_t n = c.end - c.begin < size ? c.end - c.begin : size;

        memcpy(to, c.in + c.begin, n);
        c.begin += n;
        to += n;
        size -= n;
        if (size > 0 && !fill())
            return false;
    }
    return true;
}

/* ---- Commands ---- */

/* Sends the request in `message`, of which the key is there, and waits for its answer. */
static struct answer ask(enum operation operation, const char *key, size_t value_size)
{
    struct request *q = &message.request;
    struct answer a = {FAILED, 0, 0};
    lun_message m;

    q->from = lun_self();
    q->tag = lun_new_tag();
    q->operation = operation;
    q->key_size = (uint32_t)strlen(key);
    q->value_size = (uint32_t)value_size;
    memcpy(message.bytes, key, q->key_size);
    lun_send(c.store, 0, &message, sizeof *q + q->key_size + value_size);
    if (lun_receive_tag(&m, q->tag, LUN_FOREVER) != 0 || lun_read(&a, sizeof a) != sizeof a ||
        lun_read(bytes, sizeof bytes) != a.size) {
        static const struct answer nothing = {FAILED, 0, 0};

        return nothing;
    }
    return a;
}

static void tell(struct answer a, const char *when_done)
{
    if (a.status == FAILED) {
        put("ERROR ", 6);
        put(bytes, a.size);
        put("\r\n", 2);
    } else {
        put_line(a.status == DONE ? when_done : "NONE");
    }
}

/* Bytes of the character of UTF-8 at `at`; 0: it is none. Texts of the database are UTF-8, and what
 * is not ends who binds it. */
static size_t character_size(const unsigned char *at)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = at[0] < 0x80   ? 1
                  : at[0] < 0xc0 ? 0
                  : at[0] < 0xe0 ? 2
                  : at[0] < 0xf0 ? 3
                  : at[0] < 0xf8 ? 4
                                 : 0;
    uint32_t c;

    if (size <= 1)
        return size;
    c = at[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0; /* the 0 at the end, too */
        c = c << 6 | (at[i] & 0x3f);
    }
    return c < smallest[size] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : size;
}

static bool is_key(const char *word)
{
    size_t i, size;

    for (i = 0; word[i] != '\0'; i += size) {
        size = character_size((const unsigned char *)word + i);
        if (size == 0 || (unsigned char)word[i] <= ' ' || word[i] == 0x7f)
            return false;
    }
    return i > 0 && i <= KEY_MAX;
}

/* False: what follows is not clear any more, so that the connection must end. */
static bool do_set(const char *key, const char *word)
{
    char line[LINE_MAX];
    char *end;
    unsigned long size = strtoul(word, &end, 10);

    if (word[0] < '0' || word[0] > '9' || *end != '\0' || size > VALUE_MAX) {
        put_line("ERROR the size is to be a number, at most 65536");
        return false;
    }
    if (!read_bytes(message.bytes + strlen(key), size) || !read_line(line))
        return false;
    if (line[0] != '\0') {
        put_line("ERROR the value has more bytes than was said");
        return false;
    }
    tell(ask(SET, key, size), "OK");
    return true;
}

static void do_get(const char *key)
{
    struct answer a = ask(GET, key, 0);
    char line[32];

    snprintf(line, sizeof line, "VALUE %u", (unsigned)a.size);
    tell(a, line);
    if (a.status == DONE) {
        put(bytes, a.size);
        put("\r\n", 2);
    }
}

static void do_count(void)
{
    struct answer a = ask(COUNT, "", 0);
    char line[32];

    snprintf(line, sizeof line, "NUMBER %lld", (long long)a.number);
    tell(a, line);
}

static void do_keys(const char *after)
{
    struct answer a = ask(KEYS, after, 0);

    if (a.status == DONE)
        put(bytes, a.size);
    tell(a, "END");
}

/* False: the connection is to end. */
static bool obey(char *line)
{
    char *rest, *command = strtok_r(line, " ", &rest), *key = strtok_r(NULL, " ", &rest),
                *size = strtok_r(NULL, " ", &rest), *more = strtok_r(NULL, " ", &rest);
    size_t words = !command ? 0 : !key ? 1 : !size ? 2 : !more ? 3 : 4;

    if (words >= 2 && !is_key(key)) {
        put_line("ERROR a key is 1 to 250 printable bytes of UTF-8");
        return !(words == 3 && strcmp(command, "SET") == 0);
    }
    if (words == 3 && strcmp(command, "SET") == 0)
        return do_set(key, size);
    if (words == 2 && strcmp(command, "GET") == 0)
        do_get(key);
    else if (words == 2 && strcmp(command, "DELETE") == 0)
        tell(ask(DELETE, key, 0), "OK");
    else if (words == 1 && strcmp(command, "COUNT") == 0)
        do_count();
    else if ((words == 1 || words == 2) && strcmp(command, "KEYS") == 0)
        do_keys(words == 2 ? key : "");
    else if (words == 1 && strcmp(command, "QUIT") == 0) {
        put_line("OK");
        return false;
    } else {
        put_line("ERROR use SET KEY SIZE, GET KEY, DELETE KEY, COUNT, KEYS [AFTER] or QUIT");
    }
    return true;
}

static void serve(lun_stream *stream, const lun_process *store)
{
    char line[LINE_MAX];

    c.stream = stream;
    c.store = *store;
    lun_stream_set_read_timeout(stream, IDLE_MS);
    lun_stream_set_write_timeout(stream, IDLE_MS);
    while (!c.ended && read_line(line) && obey(line))
        ;
    flush();
}

/* Starts the store, and waits until it has its database. Its end would be the end of the program.
 */
static lun_process start_store(const char *path)
{
    struct store s = {.parent = lun_self()};
    struct answer a = {FAILED, 0, 0};
    lun_process store = 0;
    lun_message m;

    if (strlen(path) < sizeof s.path) {
        strcpy(s.path, path);
        store = LUN_SPAWN_LINK(run_store, 0, &s);
        if (store != 0 && lun_receive_tag(&m, READY, LUN_FOREVER) == 0 &&
            lun_read(&a, sizeof a) == sizeof a)
            lun_read(bytes, sizeof bytes);
    }
    if (a.status != DONE) {
        fprintf(stderr, "kv: %s: %.*s\n", path, (int)a.size, bytes);
        exit(1);
    }
    return store;
}

int main(int argc, char **argv)
{
    const char *where = argc > 1 ? argv[1] : "127.0.0.1:7003";
    lun_process store = start_store(argc > 2 ? argv[2] : "kv.db");
    char text[LUN_ADDRESS_TEXT_SIZE];
    lun_listener listener;
    lun_address address;

    if (lun_tcp_listen(&listener, where) != 0 || lun_listener_address(&listener, &address) != 0) {
        fprintf(stderr, "kv: %s: %s\n", where, lun_error_text());
        return 1;
    }
    printf("listening on %s\n", lun_address_text(&address, text));
    fflush(stdout);
    LUN_SERVE(&listener, serve, &store);
}
