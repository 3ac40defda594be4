/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lunatic::version: that of the interface. */
#include "host/internal.h"

#define PART(name, value)                                                                          \
    struct outcome host_version_##name(struct guest *g)                                            \
    {                                                                                              \
        (void)g;                                                                                   \
        return done(value);                                                                        \
    }

PART(major, LUN_VERSION_MAJOR)
PART(minor, LUN_VERSION_MINOR)
PART(patch, LUN_VERSION_PATCH)
