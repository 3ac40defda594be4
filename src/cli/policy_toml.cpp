/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* See policy_toml.h. Neither exceptions nor type information: errors are values. */
#define TOML_EXCEPTIONS        0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY       1
#include "cli/policy_toml.h"
#include <cstdio>
#include <cstring>
#include <string>
#include <toml++/toml.h>

namespace
{

struct reader {
    bool (*take)(void *arg, const policy_value *v);
    void *arg;
    char *words;
    size_t words_size;
    unsigned *line;
};

bool wrong(const reader &r, const toml::node &n, const char *what, const std::string &name)
{
    *r.line = n.source().begin.line;
    std::snprintf(r.words, r.words_size, "%s%s", name.c_str(), what);
    return false;
}

bool value(const reader &r, const std::string &table, const std::string &key, const toml::node &n,
           bool in_list)
{
    std::string name = "'" + table + "." + key + "'", text;
    policy_value v = {};

    v.table = table.c_str();
    v.key = key.c_str();
    v.in_list = in_list;
    v.line = n.source().begin.line;
    if (auto s = n.as_string()) {
        text = s->get();
        if (text.find('\0') != std::string::npos)
            return wrong(r, n, " has a byte 0 in it", name);
        v.kind = POLICY_TEXT;
        v.text = text.c_str();
    } else if (auto i = n.as_integer()) {
        v.kind = POLICY_NUMBER;
        v.number = i->get();
    } else if (auto b = n.as_boolean()) {
        v.kind = POLICY_TRUTH;
        v.truth = b->get();
    } else if (n.as_array() && !in_list) {
        v.kind = POLICY_EMPTY;
    } else {
        return wrong(r, n, " must be a string, an integer, true, false or a list of strings", name);
    }
    return r.take(r.arg, &v);
}

bool table(const reader &r, const std::string &name, const toml::table &t)
{
    for (auto &&[k, n] : t) {
        std::string key(k.str());

        auto list = n.as_array();

        if (list && !list->empty()) {
            for (auto &&element : *list) {
                if (!value(r, name, key, element, true))
                    return false;
            }
        } else if (!value(r, name, key, n, false)) {
            return false;
        }
    }
    return true;
}

} // namespace

bool policy_toml_read(const char *text, size_t size, bool (*take)(void *arg, const policy_value *v),
                      void *arg, char *words, size_t words_size, unsigned *line)
{
    const reader r = {take, arg, words, words_size, line};
    toml::parse_result result = toml::parse(std::string_view(text, size));

    words[0] = '\0';
    *line = 0;
    if (!result) {
        std::string_view why = result.error().description();

        *line = result.error().source().begin.line;
        std::snprintf(words, words_size, "%.*s", (int)why.size(), why.data());
        return false;
    }
    for (auto &&[k, n] : result.table()) {
        std::string name(k.str());
        auto t = n.as_table();

        if (!t)
            return wrong(r, n, " stands outside of a table like [limits]", "'" + name + "'");
        if (!table(r, name, *t))
            return false;
    }
    return true;
}
