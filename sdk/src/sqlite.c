/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The library behind <lunatic/sqlite.h>. */
