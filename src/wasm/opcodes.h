/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Instruction numbers. One-byte opcodes are themselves; those behind the prefixes 0xFC and 0xFD are
 * 0xFC00 + n and 0xFD00 + n. Names: the specification's in capitals, dots and slashes as
 * underscores
 * ("i32.add" is OP_I32_ADD, "memory.copy" OP_MEMORY_COPY). The rows are in opcodes.def. */
#ifndef WASM_OPCODES_H
#define WASM_OPCODES_H

#include <stdint.h>

enum opcode {
#define OP(code, NAME, text, immediate, signature) OP_##NAME = (code),
#include "wasm/opcodes.def"
#undef OP
};

/* The specification's name of the instruction, or NULL if there is none of that number. */
const char *opcode_name(uint32_t opcode);

#endif
