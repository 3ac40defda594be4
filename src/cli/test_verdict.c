/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
#include "cli/test_verdict.h"
#include "base/assert.h"
#include "runtime/lunatic_runtime.h"
#include <string.h>

/* ---- panics ---- */

static struct slice rest_of(struct slice text, size_t from)
{
    return slice_make(text.data + from, text.size - from);
}

static bool begins_with(struct slice text, const char *words)
{
    size_t size = strlen(words);

    return text.size >= size && memcmp(text.data, words, size) == 0;
}

/* The line that `text` begins with, without the newline. */
static struct slice line_of(struct slice text)
{
    const uint8_t *end = text.size ? memchr(text.data, '\n', text.size) : NULL;

    return slice_make(text.data, end ? (size_t)(end - text.data) : text.size);
}

/* Goes to the next line. False: there is none. */
static bool next_line(struct slice *text)
{
    size_t size = line_of(*text).size;

    if (size == text->size)
        return false;
    *text = rest_of(*text, size + 1);
    return true;
}

/* Where in `text` the words are; text.size: nowhere. */
static size_t find(struct slice text, const char *words)
{
    const uint8_t *at = text.size ? memmem(text.data, text.size, words, strlen(words)) : NULL;

    return at ? (size_t)(at - text.data) : text.size;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Whether the line ends with ":LINE:COLUMN". */
static bool ends_with_place(struct slice line)
{
    size_t end = line.size;

    for (int i = 0; i < 2; i++) {
        size_t digits = end;

        while (digits > 0 && is_digit(line.data[digits - 1]))
            digits--;
        if (digits == end || digits == 0 || line.data[digits - 1] != ':')
            return false;
        end = digits - 1;
    }
    return end > 0;
}

/* Where in `line` the words are for the last time; line.size: nowhere. */
static size_t find_last(struct slice line, const char *words)
{
    size_t size = strlen(words);

    for (size_t end = line.size; end >= size; end--)
        if (memcmp(line.data + end - size, words, size) == 0)
            return end - size;
    return line.size;
}

/* `text` begins after the opening quote. The message ends with the last "', " of the first line
 * where a place follows; it may have lines and quotes of its own. */
static bool old_message(struct slice text, struct slice *message)
{
    static const char separator[] = "', ";
    struct slice at = text;
    bool found = false;

    do {
        struct slice line = line_of(at);
        size_t end = find_last(line, separator);

        if (end == line.size)
            continue;
        *message = slice_make(text.data, (size_t)(at.data - text.data) + end);
        found = true;
        if (ends_with_place(rest_of(line, end)))
            break;
    } while (next_line(&at));
    return found;
}

/* `text` begins with the line after the place. */
static void new_message(struct slice text, struct slice *message)
{
    struct slice at = text;
    size_t size = 0;

    while (at.size > 0) {
        if (begins_with(at, "note: ") || begins_with(at, "stack backtrace:"))
            break;
        size = (size_t)(at.data - text.data) + line_of(at).size;
        if (!next_line(&at))
            break;
    }
    *message = slice_make(text.data, size);
}

static const char panicked[] = " panicked at ";

static bool is_rust_panic(struct slice text)
{
    struct slice line = line_of(text);

    return begins_with(line, "thread '") && find(line, panicked) < line.size;
}

static bool rust_message(struct slice text, struct slice *message)
{
    text = rest_of(text, find(text, panicked) + sizeof(panicked) - 1);
    if (text.size > 0 && text.data[0] == '\'')
        return old_message(rest_of(text, 1), message);
    if (!next_line(&text))
        text = rest_of(text, text.size);
    new_message(text, message);
    return true;
}

static const char *const other_beginnings[] = {"Assertion failed: ", "panic: ", "abort: "};

/* The beginning among the above that the text has, or NULL. */
static const char *other_beginning(struct slice text)
{
    for (size_t i = 0; i < ARRAY_COUNT(other_beginnings); i++) {
        if (begins_with(text, other_beginnings[i]))
            return other_beginnings[i];
    }
    return NULL;
}

bool test_panic_message(struct slice text, struct slice *message)
{
    struct slice rust = {0}, other = {0};
    const char *beginning;

    if (text.size == 0)
        return false;
    do {
        if (is_rust_panic(text))
            rust = text;
        else if (other_beginning(text))
            other = text;
    } while (next_line(&text));
    if (rust.size > 0)
        return rust_message(rust, message);
    beginning = other_beginning(other);
    if (!beginning)
        return false;
    *message = rest_of(line_of(other), strlen(beginning));
    return true;
}

/* ---- the verdict ---- */

static bool judge_failure(const struct test_case *c, const struct lunatic_exit *how,
                          struct slice text, struct test_output *output, bool is_shown)
{
    struct slice message;
    bool has_message = test_panic_message(text, &message);
    bool has_exited = how->kind == LUNATIC_EXIT_NORMAL;

    if (c->should_panic && c->panic_text[0] == '\0')
        return true;
    if (has_message && !c->should_panic)
        return false; /* the message says it all */
    if (has_message && find(message, c->panic_text) < message.size)
        return true;
    if (has_message)
        test_output_note(output,
                         "note: panic did not contain expected string\n"
                         "      panic message: `\"%.*s\"`,\n"
                         " expected substring: `\"%s\"`",
                         (int)message.size, (const char *)message.data, c->panic_text);
    else if (has_exited)
        test_output_note(output, "note: Process exited with status %d%s%s%s", how->status,
                         c->should_panic ? ", but expected a panic that contains `" : "",
                         c->should_panic ? c->panic_text : "", c->should_panic ? "`" : "");
    else if (c->should_panic)
        test_output_note(output,
                         "note: Process received kill signal, but expected a panic that "
                         "contains `%s`",
                         c->panic_text);
    else if (!is_shown)
        test_output_note(output, "note: Process trapped or received kill signal");
    return false;
}

bool test_has_passed(const struct test_case *c, const struct lunatic_exit *how,
                     struct test_output *output, bool is_shown)
{
    struct bytes own = {0};
    bool passed;

    if (how->kind == LUNATIC_EXIT_NORMAL && how->status == 0) {
        if (c->should_panic)
            test_output_note(output, "note: test did not panic as expected");
        return !c->should_panic;
    }
    passed = test_output_own(output, &own) &&
             judge_failure(c, how, slice_make(own.data, own.size), output, is_shown);
    bytes_deinit(&own);
    return passed;
}
