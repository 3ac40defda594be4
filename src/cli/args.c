/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/args.h"
#include <string.h>

void args_init(struct args *a, const struct option *options, int count, char **words)
{
    a->options = options;
    a->words = words;
    a->count = count;
    a->at = 0;
    a->only_words = false;
}

static const struct option *find_long(const struct args *a, const char *name, size_t length)
{
    const struct option *o;

    for (o = a->options; o->name; o++) {
        if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
            return o;
    }
    return NULL;
}

static const struct option *find_short(const struct args *a, const char *word)
{
    const struct option *o;

    for (o = a->options; o->name; o++) {
        if (o->letter != 0 && word[1] == o->letter && (word[2] == '\0' || o->has_value))
            return o;
    }
    return NULL;
}

int args_next(struct args *a, const char **value, struct error *err)
{
    const struct option *o;
    const char *word, *equals = NULL;

    *value = NULL;
    if (a->at >= a->count)
        return ARGS_END;
    word = a->words[a->at++];
    if (!a->only_words && strcmp(word, "--") == 0) {
        a->only_words = true;
        return args_next(a, value, err);
    }
    if (a->only_words || word[0] != '-' || word[1] == '\0') {
        *value = word;
        return ARGS_WORD;
    }
    if (word[1] == '-') {
        equals = strchr(word, '=');
        o = find_long(a, word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word) - 2);
    } else {
        o = find_short(a, word);
    }
    if (!o) {
        fail(err, ERR_USAGE, "unknown option '%s' (what is meant for the program goes after '--')",
             word);
        return ARGS_ERROR;
    }
    if (!o->has_value) {
        if (equals) {
            fail(err, ERR_USAGE, "option '--%s' takes no value", o->name);
            return ARGS_ERROR;
        }
        return o->id;
    }
    if (word[1] != '-' && word[2] != '\0') {
        *value = word + 2; /* -Zvalue */
    } else if (equals) {
        *value = equals + 1;
    } else if (a->at < a->count) {
        *value = a->words[a->at++];
    } else {
        fail(err, ERR_USAGE, "option '--%s' needs a value", o->name);
        return ARGS_ERROR;
    }
    return o->id;
}

bool args_number(const char *text, uint64_t max, uint64_t *out)
{
    static const char suffixes[] = "KMG";
    uint64_t n = 0;
    const char *p = text;
    const char *suffix;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
            return false;
    }
    if (*p != '\0') {
        suffix = strchr(suffixes, *p);
        if (!suffix || p[1] != '\0')
            return false;
        if (__builtin_mul_overflow(n, UINT64_C(1) << (10 * (suffix - suffixes + 1)), &n))
            return false;
    }
    if (n > max)
        return false;
    *out = n;
    return true;
}
