/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How much is logged: what --log, LUNATIC_LOG and RUST_LOG say, in the syntax that users of the
 * original know from RUST_LOG.
 *
 * A specification is a list of directives, comma by comma: `level` for everything, `target=level`,
 * or `target` alone for everything that this target has; what follows a '/' is a filter of
 * messages, which we do not have. All that we log belongs to the target lunatic_process, so what
 * counts is the level of the longest target that is the beginning of that name. */
#ifndef CLI_LOG_OPTIONS_H
#define CLI_LOG_OPTIONS_H

#include "base/error.h"
#include "runtime/lunatic_runtime.h"

#define LOG_TARGET "lunatic_process"

/* Sets `*level` to what the specification says about us, or leaves it if that is nothing. False: a
 * directive has a level that does not exist; `err` names it. */
bool log_level_parse(const char *text, enum lunatic_log_level *level, struct error *err);

/* The level that the environment asks for: LUNATIC_LOG, else RUST_LOG, else warnings. What makes no
 * sense in LUNATIC_LOG is an error; RUST_LOG may be meant for others, and only what is understood
 * counts. */
bool log_level_from_environment(enum lunatic_log_level *level, struct error *err);

/* `text` or `json`. */
bool log_format_parse(const char *text, bool *is_json, struct error *err);

#endif
