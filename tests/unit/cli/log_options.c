/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/log_options.h"
#include "tests/harness/harness.h"
#include <stdlib.h>

#define NOTHING ((enum lunatic_log_level)77)

/* The level that the specification gives, NOTHING: it says nothing about us. */
static enum lunatic_log_level parsed(const char *text)
{
    enum lunatic_log_level level = NOTHING;
    struct error err;

    EXPECT(log_level_parse(text, &level, &err));
    return level;
}

TEST(log_levels_are_words_for_everything)
{
    CHECK(parsed("off") == LUNATIC_LOG_OFF);
    CHECK(parsed("error") == LUNATIC_LOG_ERROR);
    CHECK(parsed("WARN") == LUNATIC_LOG_WARN);
    CHECK(parsed(" Info ") == LUNATIC_LOG_INFO);
    CHECK(parsed("debug") == LUNATIC_LOG_DEBUG);
    CHECK(parsed("trace") == LUNATIC_LOG_TRACE);
    CHECK(parsed("") == NOTHING && parsed(",,") == NOTHING);
}

/* As in the original: the longest target that fits counts, and of equal ones the last. */
TEST(log_levels_of_targets)
{
    CHECK(parsed("lunatic=debug") == LUNATIC_LOG_DEBUG);
    CHECK(parsed("lunatic_process=trace,lunatic=error") == LUNATIC_LOG_TRACE);
    CHECK(parsed("error,lunatic=debug,my_app=trace") == LUNATIC_LOG_DEBUG);
    CHECK(parsed("my_app=trace") == NOTHING);
    CHECK(parsed("lunatic_processes=trace") == NOTHING);
    CHECK(parsed("lunatic") == LUNATIC_LOG_TRACE);
    CHECK(parsed("lunatic=") == LUNATIC_LOG_TRACE);
    CHECK(parsed("hyper") == NOTHING);
    CHECK(parsed("info,error") == LUNATIC_LOG_ERROR);
    CHECK(parsed("lunatic = info , warn") == LUNATIC_LOG_INFO);
    CHECK(parsed("warn/some,filter=x") == LUNATIC_LOG_WARN);
}

TEST(log_levels_that_do_not_exist_are_named)
{
    enum lunatic_log_level level = NOTHING;
    struct error err;

    CHECK(!log_level_parse("lunatic=loud", &level, &err));
    CHECK(strstr(err.text, "loud") && level == NOTHING);
    CHECK(!log_level_parse("lunatic=loud,error", &level, &err) && level == LUNATIC_LOG_ERROR);
}

TEST(log_level_of_the_environment)
{
    enum lunatic_log_level level;
    struct error err;

    unsetenv("LUNATIC_LOG");
    unsetenv("RUST_LOG");
    CHECK(log_level_from_environment(&level, &err) && level == LUNATIC_LOG_WARN);
    setenv("RUST_LOG", "lunatic=debug", 1);
    CHECK(log_level_from_environment(&level, &err) && level == LUNATIC_LOG_DEBUG);
    setenv("RUST_LOG", "x=loud,error", 1);
    CHECK(log_level_from_environment(&level, &err) && level == LUNATIC_LOG_ERROR);
    setenv("LUNATIC_LOG", "info", 1);
    CHECK(log_level_from_environment(&level, &err) && level == LUNATIC_LOG_INFO);
    setenv("LUNATIC_LOG", "lunatic=loud", 1);
    CHECK(!log_level_from_environment(&level, &err) && strstr(err.text, "LUNATIC_LOG"));
    unsetenv("LUNATIC_LOG");
    unsetenv("RUST_LOG");
}
