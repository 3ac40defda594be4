/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/log_options.h"
#include "base/assert.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool level_of(const char *word, size_t size, enum lunatic_log_level *level)
{
    static const char *const names[] = {"off", "error", "warn", "info", "debug", "trace"};

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strlen(names[i]) == size && strncasecmp(word, names[i], size) == 0) {
            *level = (enum lunatic_log_level)i;
            return true;
        }
    }
    return false;
}

static void trim(const char **word, size_t *size)
{
    while (*size && (**word == ' ' || **word == '\t')) {
        ++*word;
        --*size;
    }
    while (*size && ((*word)[*size - 1] == ' ' || (*word)[*size - 1] == '\t'))
        --*size;
}

/* Whether a directive for that target is about ours. */
static bool concerns_us(const char *target, size_t size)
{
    return size <= strlen(LOG_TARGET) && strncmp(LOG_TARGET, target, size) == 0;
}

bool log_level_parse(const char *text, enum lunatic_log_level *level, struct error *err)
{
    size_t end = strcspn(text, "/"), best = 0;
    bool ok = true;

    for (size_t at = 0; at < end; at++) {
        size_t size = strcspn(text + at, ",/"), target = 0, length;
        const char *word = text + at, *equals = memchr(word, '=', size);
        enum lunatic_log_level one = LUNATIC_LOG_TRACE;
        bool understood = true;

        at += size;
        length = size;
        trim(&word, &length);
        if (length == 0)
            continue;
        if (equals) {
            const char *value = equals + 1;
            size_t value_size = (size_t)(word + length - value);

            trim(&value, &value_size);
            length = (size_t)(equals - word);
            trim(&word, &length);
            target = length;
            understood = value_size == 0 || level_of(value, value_size, &one);
            if (!understood && ok)
                ok = fail(err, ERR_USAGE,
                          "no log level '%.*s': off, error, warn, info, debug or trace",
                          (int)(value_size < 40 ? value_size : 40), value);
        } else if (!level_of(word, length, &one)) {
            target = length; /* all that this target has */
        }
        if (understood && target >= best && (target == 0 || concerns_us(word, target))) {
            best = target;
            *level = one;
        }
    }
    return ok;
}

bool log_level_from_environment(enum lunatic_log_level *level, struct error *err)
{
    const char *ours = getenv("LUNATIC_LOG"), *theirs = getenv("RUST_LOG");
    struct error ignored, words = {0};

    *level = LUNATIC_LOG_WARN;
    if (ours && *ours) {
        if (log_level_parse(ours, level, &words))
            return true;
        return fail(err, ERR_USAGE, "LUNATIC_LOG: %s", words.text);
    }
    if (theirs)
        (void)!log_level_parse(theirs, level, &ignored);
    return true;
}

bool log_format_parse(const char *text, bool *is_json, struct error *err)
{
    *is_json = strcmp(text, "json") == 0;
    if (*is_json || strcmp(text, "text") == 0)
        return true;
    return fail(err, ERR_USAGE, "option '--log-format' wants 'text' or 'json', not '%s'", text);
}
