/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

#define TEXT 100000

static char text[TEXT + 1];

static int count(const char *needle, int length)
{
    int skip[256], found = 0;

    for (int i = 0; i < 256; i++)
        skip[i] = length;
    for (int i = 0; i < length - 1; i++)
        skip[(unsigned char)needle[i]] = length - 1 - i;
    for (int pos = 0; pos + length <= TEXT; pos += skip[(unsigned char)text[pos + length - 1]]) {
        int i = length - 1;

        while (i >= 0 && text[pos + i] == needle[i])
            i--;
        found += i < 0;
    }
    return found;
}

uint64_t kernel_string_search(void)
{
    static const char *const needles[] = {"abca", "ddbca", "aaaa", "bcdabc", "cab"};
    static const int lengths[] = {4, 5, 4, 6, 3};
    uint32_t state = 99;
    uint64_t sum = 0;

    for (int i = 0; i < TEXT; i++)
        text[i] = (char)('a' + next_random(&state) % 4);
    for (int i = 0; i < 5; i++)
        sum = sum * 1000003 + (uint64_t)count(needles[i], lengths[i]);
    return sum;
}
