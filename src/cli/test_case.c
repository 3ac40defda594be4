/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/test_case.h"
#include "base/assert.h"
#include "base/printable.h"
#include "runtime/lunatic_runtime.h"
#include <string.h>

static const char prefix[] = "#lunatic_test_";
static const char ignore_mark[] = "#ignore_";
static const char panic_mark[] = "#panic_";

/* If the text at `*at` begins with `mark`, goes past it. */
static bool skip_mark(const char **at, const char *mark)
{
    size_t size = strlen(mark);

    if (strncmp(*at, mark, size) != 0)
        return false;
    *at += size;
    return true;
}

static char *copy_text(const char *text, size_t size)
{
    char *copy = mem_new_array(char, size + 1);

    memcpy(copy, text, size);
    return copy;
}

/* The text from `*at` to the '#' that ends it, with the escapes undone; NULL: nothing ends it. */
static char *take_panic_text(const char **at)
{
    char *text = copy_text(*at, strlen(*at)), *to = text;
    const char *from = *at;

    for (; *from != '\0' && *from != '#'; from++) {
        if (from[0] == '\\' && from[1] == '#')
            from++;
        *to++ = *from;
    }
    *to = '\0';
    if (*from == '\0') {
        mem_free(text);
        return NULL;
    }
    *at = from + 1;
    return text;
}

bool test_case_parse(const char *name, size_t size, struct test_case *out, bool *is_test,
                     struct error *err)
{
    const char *at;

    *out = (struct test_case){0};
    *is_test = size >= sizeof(prefix) - 1 && memcmp(name, prefix, sizeof(prefix) - 1) == 0;
    if (!*is_test)
        return true;
    if (memchr(name, '\0', size))
        return fail(err, ERR_MALFORMED, "the name of a test has a zero byte in it: %.*s...",
                    (int)size, name);
    out->export_name = copy_text(name, size);
    at = out->export_name + sizeof(prefix) - 1;
    out->is_ignored = skip_mark(&at, ignore_mark);
    out->should_panic = skip_mark(&at, panic_mark);
    if (out->should_panic) {
        out->panic_text = take_panic_text(&at);
        if (!out->panic_text) {
            fail(err, ERR_MALFORMED, "a '#' must end the expected panic in the name of the test %s",
                 out->export_name);
            test_case_deinit(out);
            return false;
        }
    }
    out->name = copy_text(at, strlen(at));
    printable_make(out->name, PRINTABLE_ONE_LINE);
    return true;
}

void test_case_deinit(struct test_case *c)
{
    mem_free(c->export_name);
    mem_free(c->name);
    mem_free(c->panic_text);
    *c = (struct test_case){0};
}

bool test_cases_read(const struct lunatic_module *m, struct test_cases *out, struct error *err)
{
    struct lunatic_export e;
    struct test_case c;
    bool is_test;

    for (size_t i = 0; lunatic_module_export(m, i, &e); i++) {
        if (e.kind != LUNATIC_EXPORT_FUNCTION)
            continue;
        if (!test_case_parse(e.name, e.name_size, &c, &is_test, err))
            return false;
        if (is_test && !vec_push(&out->list, c)) {
            test_case_deinit(&c);
            return fail(err, ERR_NO_MEMORY, "no memory for %zu tests", out->list.count);
        }
    }
    return true;
}

void test_cases_deinit(struct test_cases *cases)
{
    for (size_t i = 0; i < cases->list.count; i++)
        test_case_deinit(&cases->list.items[i]);
    vec_deinit(&cases->list);
}

static bool matches(const struct test_selection *s, const char *name, const char *filter)
{
    return s->is_exact ? strcmp(name, filter) == 0 : strstr(name, filter) != NULL;
}

bool test_selection_has(const struct test_selection *s, const struct test_case *c)
{
    bool wanted = s->filter_count == 0;

    for (size_t i = 0; i < s->filter_count && !wanted; i++)
        wanted = matches(s, c->name, s->filters[i]);
    for (size_t i = 0; i < s->skip_count && wanted; i++)
        wanted = !matches(s, c->name, s->skips[i]);
    if (s->no_panics && c->should_panic)
        return false;
    return wanted && (s->ignored != TEST_IGNORED_ONLY || c->is_ignored);
}
