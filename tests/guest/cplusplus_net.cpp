// SPDX-License-Identifier: Apache-2.0 OR MIT
// The headers of the library in C++, and addresses as text.
// expect: 192.0.2.1:80 [2001:db8::1]:443
#include <cstdio>
#include <lunatic/metrics.h>
#include <lunatic/net.h>
#include <lunatic/sqlite.h>
#include <lunatic/tls.h>

struct greeting {
    char words[16];
};

static void greet(lun_stream *stream, const greeting *g)
{
    lun_stream_write(stream, g->words, sizeof g->words);
}

int main(int argc, char **)
{
    lun_address four, six;
    char a[LUN_ADDRESS_TEXT_SIZE], b[LUN_ADDRESS_TEXT_SIZE];
    greeting g = {"good morning"};
    lun_stream stream = {};

    if (argc > 1000)
        return LUN_SPAWN_STREAM(greet, &stream, &g) == 0;
    if (!lun_address_parse(&four, "192.0.2.1:80") || !lun_address_parse(&six, "[2001:db8::1]:443"))
        return 1;
    std::printf("%s %s\n", lun_address_text(&four, a), lun_address_text(&six, b));
    return 0;
}
