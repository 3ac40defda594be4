/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Commands of the original that this program does not have: each says what to do instead. */
#include "cli/command.h"

static int refuse(const char *name, const char *words)
{
    struct error err;

    fail(&err, ERR_UNSUPPORTED, "%s: %s", name, words);
    return report(&err);
}

#define PLATFORM "belongs to the original's hosted platform, which this program does not know; "
#define NODES    "not available yet: it comes with distribution; "

int cmd_login(int count, char **words)
{
    (void)count;
    (void)words;
    return refuse("login", PLATFORM "nothing here needs a login");
}

int cmd_app(int count, char **words)
{
    (void)count;
    (void)words;
    return refuse("app", PLATFORM "a project needs no name there: 'lunatic init' sets it up");
}

int cmd_deploy(int count, char **words)
{
    (void)count;
    (void)words;
    return refuse("deploy", PLATFORM "build with 'cargo build --release', copy the .wasm file "
                                     "and start it with 'lunatic run'");
}

int cmd_control(int count, char **words)
{
    (void)count;
    (void)words;
    return refuse("control", NODES "programs of one machine need no control server");
}

int cmd_node(int count, char **words)
{
    (void)count;
    (void)words;
    return refuse("node", NODES "start the program with 'lunatic run'");
}
