/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Numbers that the runtime and its guests agree on. Freestanding. */
#ifndef ABI_VALUES_H
#define ABI_VALUES_H

/* What a function of this interface returns for a timeout that has passed. */
#define LUN_TIMEOUT 9027

/* As a timeout in milliseconds: none. */
#define LUN_FOREVER 0xffffffffffffffffull

/* As a configuration or module of a spawn: the caller's own. */
#define LUN_OWN 0xffffffffffffffffull

/* Result of a function for which the caller's configuration lacks the right. As an i32, an i64. */
#define LUN_DENIED     0xffffffffu
#define LUN_DENIED_I64 0xffffffffffffffffull

/* lunatic::message::receive: what has come. */
#define LUN_MESSAGE_DATA         0
#define LUN_MESSAGE_LINK_DIED    1
#define LUN_MESSAGE_PROCESS_DIED 2

/* lunatic::process::spawn, get_or_spawn, compile_module. */
#define LUN_OK     0
#define LUN_FAILED 1 /* an error id was written */
#define LUN_FOUND  2 /* get_or_spawn: the name was taken already */

/* A parameter of a spawn: the type, and the value in 16 bytes, little-endian. */
#define LUN_PARAM_SIZE 17
#define LUN_PARAM_I32  0x7f
#define LUN_PARAM_I64  0x7e
#define LUN_PARAM_V128 0x7b

/* The version of the interface, which is the original's. */
#define LUN_VERSION_MAJOR 0
#define LUN_VERSION_MINOR 13
#define LUN_VERSION_PATCH 2

#endif
