/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The slot tests again, as if this host had little address space, or wanted every byte promised: in
 * a program of their own, since the arenas of this one are mapped already. */
#define _GNU_SOURCE
#include "tests/harness/harness.h"
#include "vm/region.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODE "LUNATIC_TEST_HOST"

__attribute__((constructor)) static void pretend(void)
{
    const char *mode = getenv(MODE);

    if (!mode)
        return;
    if (strcmp(mode, "strict") == 0)
        region_set_limits(0, true);
    else if (strcmp(mode, "small") == 0)
        region_set_limits(2ull << 30, false);
    else if (strcmp(mode, "small-strict") == 0)
        region_set_limits(2ull << 30, true);
}

/* Whether the tests named so pass in that mode. */
static bool pass(const char *mode, const char *test)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(3);
        setenv(MODE, mode, 1);
        execl("/proc/self/exe", "unit_vm", test, (char *)NULL);
        _exit(2);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static bool all_pass(const char *mode)
{
    return pass(mode, "a_reused_slot_shows_nothing") &&
           pass(mode, "the_same_with_an_older_kernel") && pass(mode, "growing_keeps_contents") &&
           pass(mode, "limits_refuse_memory") && pass(mode, "recursion_moves_the_stack") &&
           pass(mode, "moving_at_every_prologue");
}

TEST(hosts_with_strict_overcommit)
{
    CHECK(all_pass("strict"));
}

TEST(hosts_with_little_address_space)
{
    CHECK(all_pass("small"));
    CHECK(all_pass("small-strict"));
}
