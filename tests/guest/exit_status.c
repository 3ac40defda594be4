/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What main returns is the exit status; buffered output is written first. */
// expect: bye
// exit: 42
#include <stdio.h>

int main(void)
{
    printf("bye\n");
    return 42;
}
