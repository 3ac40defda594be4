// SPDX-License-Identifier: Apache-2.0 OR MIT
// <lunatic.h> in C++: constructors run in every process, and the macros check types.
// expect: child: 7 made, result 21
#include <cstdio>
#include <lunatic.h>
#include <string>
#include <vector>

static std::vector<std::string> made(7, "word");

static void triple(const int *n, int *result)
{
    std::printf("child: %zu made, ", made.size());
    std::fflush(stdout);
    *result = 3 * *n;
}

int main()
{
    int n = 7, result = 0;
    lun_task task = LUN_START(triple, &n, &result);

    made.clear();
    if (lun_wait(&task, LUN_FOREVER) != 0)
        return 1;
    std::printf("result %d\n", result);
    return 0;
}
