/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include <stdio.h>

int main(void)
{
    printf("Hello, world!\n");
    return 0;
}
