/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Walking the instructions of a function body. `instr_next` is what the validator and every
 * compiler step through bodies with; after validation it cannot fail. */
#ifndef WASM_CODE_H
#define WASM_CODE_H

#include "base/reader.h"
#include "wasm/opcodes.h"

enum immediate {
    IMM_NONE,
    IMM_BLOCK,         /* block_type */
    IMM_LABEL,         /* index: relative depth */
    IMM_BR_TABLE,      /* targets, target_count (the default is targets' last, not counted) */
    IMM_FUNC,          /* index */
    IMM_CALL_INDIRECT, /* index: type, index2: table */
    IMM_SELECT_T,      /* index: the type's valtype (exactly one) */
    IMM_LOCAL,         /* index */
    IMM_GLOBAL,        /* index */
    IMM_TABLE,         /* index */
    IMM_MEMARG,        /* align, offset */
    IMM_MEMORY,        /* index (0) */
    IMM_I32,           /* value: sign-extended */
    IMM_I64,           /* value */
    IMM_F32,           /* value: bit pattern, zero-extended */
    IMM_F64,           /* value: bit pattern */
    IMM_REFTYPE,       /* index: the valtype */
    IMM_DATA_MEMORY,   /* index: data segment, index2: memory */
    IMM_DATA,          /* index */
    IMM_MEMORY_MEMORY, /* index: destination, index2: source */
    IMM_ELEM_TABLE,    /* index: element segment, index2: table */
    IMM_ELEM,          /* index */
    IMM_TABLE_TABLE,   /* index: destination, index2: source */
    IMM_V128,          /* bytes: 16 of them */
    IMM_LANE,          /* index: lane */
    IMM_LANES,         /* bytes: 16 lanes of a shuffle */
    IMM_MEMARG_LANE,   /* align, offset, index: lane */
};

#define BLOCK_TYPE_EMPTY                                                                           \
    (-64) /* s33 of the byte 0x40; -1..-17: a value type (0x7f is -1); >= 0: a type index */

struct instr {
    uint32_t opcode; /* enum opcode */
    uint32_t start;  /* offset of the opcode in the slice being read */
    union {
        uint64_t value;
        int64_t block_type;
        struct {
            uint32_t index, index2;
        };
        struct {
            uint32_t align; /* exponent, as encoded; only checked by the validator */
            uint32_t lane;
            uint32_t offset;
        } mem;
        struct {
            const uint8_t *targets; /* LEB128 numbers, target_count + 1 of them */
            uint32_t target_count;
        };
        const uint8_t *bytes;
    };
};

/* Reads one instruction. False at bytes that are no instruction (the reader's error says READER_OK
 * and `in->opcode` holds the unknown number) or that end too soon (the reader's error is set). */
bool instr_next(struct reader *r, struct instr *in);

#endif
