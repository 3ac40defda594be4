/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "plat/usage.h"
#include "plat/clock.h"
#include "tests/harness/harness.h"
#include <fcntl.h>
#include <unistd.h>

TEST(usage_counts_descriptors_and_threads)
{
    struct usage before, after;
    int fd;

    CHECK(usage_read(&before));
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(usage_read(&after));
    close(fd);
    CHECK(after.descriptors == before.descriptors + 1);
    CHECK(after.descriptors < after.descriptors_max);
    CHECK(after.threads >= 1);
    CHECK(after.resident > 0 && after.resident < after.address_space);
    CHECK(after.cpu_ns >= before.cpu_ns);
    CHECK(after.start_ns < clock_realtime_ns() + NS_PER_SEC);
    CHECK(after.start_ns + 3600 * NS_PER_SEC > clock_realtime_ns());
}
