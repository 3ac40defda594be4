/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Chat over telnet: rooms, nicknames, and messages. `chat.wasm [ADDRESS:PORT]`
 *
 *     session   one for each connection: reads lines, and does what they say
 *     writer    one for each connection: writes what it gets in messages
 *     hub       one: who is there, under which name and in which room
 *     room      one for each room with people in it: sends what one says to all
 *
 * Only the hub lets people into rooms and takes them out, and as messages between two processes
 * stay in order, a room knows of somebody before he can say anything. */
#include "chat.h"
#include <stdio.h>
#include <string.h>

#define LINE_MAX         512 /* bytes; what is longer is cut */
#define WRITE_TIMEOUT_MS 10000
#define IDLE_MS          3600000

/* ---- Writer ---- */

static void write_lines(lun_stream *stream, const lun_process *session)
{
    static char text[TEXT_MAX];
    lun_message message;

    lun_stream_set_write_timeout(stream, WRITE_TIMEOUT_MS);
    lun_monitor(*session);
    while (lun_receive(&message, LUN_FOREVER) == 0 && message.kind == LUN_DATA) {
        if (lun_stream_write(stream, text, lun_read(text, sizeof text)) != 0) {
            lun_kill(*session); /* it may wait for a line that never comes */
            return;
        }
    }
}

/* ---- Session ---- */

static struct {
    lun_stream *stream;
    lun_process hub, writer, room;
    char name[NAME_MAX];
    char in[1024];
    size_t begin, end;
    enum { TELNET_TEXT, TELNET_COMMAND, TELNET_OPTION, TELNET_SUB, TELNET_SUB_COMMAND } telnet;
} me;

void say(lun_process writer, const char *text)
{
    lun_send(writer, TEXT, text, strlen(text));
}

/* Whether the byte is part of the text: what telnet programs tell each other is not. */
static bool is_text(unsigned char c)
{
    enum { SUB_END = 240, SUB = 250, WILL = 251, COMMAND = 255 };

    switch (me.telnet) {
    case TELNET_TEXT:
        if (c == COMMAND)
            me.telnet = TELNET_COMMAND;
        return c != COMMAND;
    case TELNET_COMMAND:
        me.telnet = c == SUB ? TELNET_SUB : c >= WILL && c < COMMAND ? TELNET_OPTION : TELNET_TEXT;
        return false;
    case TELNET_OPTION:
        me.telnet = TELNET_TEXT;
        return false;
    case TELNET_SUB:
        if (c == COMMAND)
            me.telnet = TELNET_SUB_COMMAND;
        return false;
    default:
        me.telnet = c == SUB_END ? TELNET_TEXT : TELNET_SUB;
        return false;
    }
}

/* Reads a line into `line`, without its end and without what could command other people's
 * terminals. False: the connection has ended. */
static bool read_line(char line[LINE_MAX])
{
    size_t size = 0;

    for (;;) {
        unsigned char c;

        if (me.begin == me.end) {
            long n = lun_stream_read(me.stream, me.in, sizeof me.in);

            if (n <= 0)
                return false;
            me.begin = 0;
            me.end = (size_t)n;
        }
        c = (unsigned char)me.in[me.begin++];
        if (!is_text(c))
            continue;
        if (c == '\n')
            break;
        if (size > 0 && (unsigned char)line[size - 1] == 0xc2 && c >= 0x80 && c < 0xa0)
            size--; /* a control character in UTF-8 */
        else if (c >= ' ' && c != 0x7f && size < LINE_MAX - 1)
            line[size++] = (char)c;
    }
    while (size > 0 && line[size - 1] == ' ')
        size--;
    line[size] = '\0';
    return true;
}

/* Asks the hub and waits for its answer. */
static struct answer ask(int64_t what, const char *word)
{
    struct request q = {.session = lun_self(), .writer = me.writer, .reply_tag = lun_new_tag()};
    struct answer answer = {REFUSED, 0};
    lun_message message;

    snprintf(q.word, sizeof q.word, "%s", word);
    LUN_SEND(me.hub, what, &q);
    lun_receive_tag(&message, q.reply_tag, LUN_FOREVER);
    LUN_READ(&answer);
    return answer;
}

static bool is_name(const char *word)
{
    size_t size = strlen(word);

    return size > 0 && size < NAME_MAX && !strchr(word, ' ') && word[0] != '/' && word[0] != '*';
}

static const char bad_name[] =
    "* A name has no spaces, at most 23 bytes, and does not begin with / or *.\r\n";

static void rename_to(const char *name)
{
    if (!is_name(name))
        say(me.writer, bad_name);
    else if (ask(RENAME, name).status != ACCEPTED)
        say(me.writer, "* That name is taken.\r\n");
    else
        snprintf(me.name, sizeof me.name, "%s", name);
}

static void join(const char *room)
{
    struct answer answer;

    if (!is_name(room)) {
        say(me.writer, bad_name);
        return;
    }
    answer = ask(JOIN, room);
    if (answer.status == ACCEPTED)
        me.room = answer.room;
    else
        say(me.writer, "* There are too many rooms.\r\n");
}

/* "/join kitchen" with "/join" gives "kitchen"; NULL: it is another command. */
static const char *argument_of(const char *line, const char *command)
{
    size_t size = strlen(command);

    if (strncmp(line, command, size) != 0 || (line[size] != '\0' && line[size] != ' '))
        return NULL;
    while (line[size] == ' ')
        size++;
    return line + size;
}

/* False: the connection is to end. */
static bool obey(const char *line)
{
    const char *word;

    if ((word = argument_of(line, "/name")) != NULL)
        rename_to(word);
    else if ((word = argument_of(line, "/join")) != NULL)
        join(word);
    else if (argument_of(line, "/who"))
        LUN_SEND(me.room, WHO, &me.writer);
    else if (argument_of(line, "/quit"))
        return false;
    else
        say(me.writer,
            "* /name NAME, /join ROOM, /who, /quit; everything else is said to the room.\r\n");
    return true;
}

static bool enter(void)
{
    char line[LINE_MAX];
    struct answer answer;

    for (;;) {
        say(me.writer, "Your name? ");
        if (!read_line(line))
            return false;
        if (!is_name(line)) {
            say(me.writer, bad_name);
            continue;
        }
        answer = ask(ENTER, line);
        if (answer.status == ACCEPTED)
            break;
        say(me.writer, answer.status == TAKEN ? "* That name is taken.\r\n" : "* We are full.\r\n");
    }
    snprintf(me.name, sizeof me.name, "%s", line);
    me.room = answer.room;
    return true;
}

static void serve(lun_stream *stream, const lun_process *hub)
{
    lun_process self = lun_self();
    lun_stream clone = lun_stream_clone(stream);
    char line[LINE_MAX], text[TEXT_MAX];

    me.stream = stream;
    me.hub = *hub;
    me.writer = LUN_SPAWN_STREAM(write_lines, &clone, &self);
    if (me.writer == 0)
        return;
    lun_stream_set_read_timeout(stream, IDLE_MS);
    if (!enter())
        return;
    while (read_line(line)) {
        if (line[0] == '/') {
            if (!obey(line))
                break;
        } else if (line[0] != '\0') {
            int size = snprintf(text, sizeof text, "%s: %s\r\n", me.name, line);

            lun_send(me.room, SAY, text, (size_t)size);
        }
    }
    say(me.writer, "* Good bye.\r\n");
}

int main(int argc, char **argv)
{
    const char *where = argc > 1 ? argv[1] : "127.0.0.1:7002";
    char text[LUN_ADDRESS_TEXT_SIZE];
    lun_listener listener;
    lun_address address;
    lun_process hub;

    if (lun_tcp_listen(&listener, where) != 0 || lun_listener_address(&listener, &address) != 0) {
        fprintf(stderr, "chat: %s: %s\n", where, lun_error_text());
        return 1;
    }
    hub = lun_spawn_link(run_hub, 0, NULL, 0);
    printf("listening on %s\n", lun_address_text(&address, text));
    fflush(stdout);
    LUN_SERVE(&listener, serve, &hub);
}
