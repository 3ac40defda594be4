/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* In place of policy_toml.cpp where the TOML library is missing. */
#include "cli/policy_toml.h"
#include <stdio.h>

bool policy_toml_read(const char *text, size_t size,
                      bool (*take)(void *arg, const struct policy_value *v), void *arg, char *words,
                      size_t words_size, unsigned *line)
{
    (void)text;
    (void)size;
    (void)take;
    (void)arg;
    *line = 0;
    snprintf(
        words, words_size,
        "this program was built without toml++ (libtomlplusplus-dev), so it reads no policies");
    return false;
}
