/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#ifndef TEST_SPECTEST_H
#define TEST_SPECTEST_H

struct store;

/* Defines the module "spectest". */
void spectest_define(struct store *s);

#endif
