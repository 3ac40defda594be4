/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the files of wasm/ share: the arena of a module, the table of instructions, error texts. */
#ifndef WASM_INTERNAL_H
#define WASM_INTERNAL_H

#include "base/bytes.h"
#include "base/error.h"
#include "wasm/code.h"
#include "wasm/module.h"
#include <stdalign.h>
#include <stddef.h>

/* Memory that is freed as one: all that a module points to, but for its bytes. */
struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    alignas(max_align_t) uint8_t data[];
};
struct arena {
    struct arena_chunk *chunks; /* the first has room, perhaps */
    struct bytes bytes;         /* the module's own copy of its bytes */
};

/* Zeroed storage for `count` objects of `type` (never NULL for a count of 0). NULL: no memory. */
#define arena_array(a, type, count) ((type *)arena_alloc((a), (count), sizeof(type)))
void *arena_alloc(struct arena *a, size_t count, size_t size) MUST_USE;
void arena_deinit(struct arena *a);

/* An instruction's row of opcodes.def. */
struct op_info {
    const char *text; /* NULL: there is no such instruction */
    uint8_t immediate;
    char signature[7];
};

/* Rows lie in one array: one-byte opcodes, then those behind 0xFC, then those behind 0xFD. */
#define OP_SLOT(code)                                                                              \
    ((code) < 0x100     ? (code)                                                                   \
     : (code) <= 0xfcff ? 0x100 + ((code) - 0xfc00)                                                \
                        : 0x120 + ((code) - 0xfd00))
#define OP_FC_COUNT   0x20u
#define OP_FD_COUNT   0x100u
#define OP_SLOT_COUNT (0x120 + OP_FD_COUNT)

extern const struct op_info op_infos[OP_SLOT_COUNT];

/* The row, or NULL if no instruction has that number. */
static inline const struct op_info *op_info(uint32_t opcode)
{
    uint32_t slot;

    if (opcode < 0x100)
        slot = opcode;
    else if (opcode >= 0xfc00 && opcode < 0xfc00 + OP_FC_COUNT)
        slot = OP_SLOT(opcode);
    else if (opcode >= 0xfd00 && opcode < 0xfd00 + OP_FD_COUNT)
        slot = OP_SLOT(opcode);
    else
        return NULL;
    return op_infos[slot].text ? &op_infos[slot] : NULL;
}

static inline bool valtype_is_ref(uint8_t type)
{
    return type == VALTYPE_FUNCREF || type == VALTYPE_EXTERNREF;
}

static inline bool valtype_is_known(uint8_t type)
{
    return (type >= VALTYPE_V128 && type <= VALTYPE_I32) || valtype_is_ref(type);
}

/* The value type of a negative block type other than the empty one, 0 if it is none. */
static inline uint8_t block_valtype(int64_t block_type)
{
    uint8_t type = (uint8_t)(block_type & 0x7f);

    return block_type >= -64 && block_type < 0 && valtype_is_known(type) ? type : 0;
}

/* "what" of a reader's error. */
const char *reader_error_text(enum reader_error e);

/* Room for one name in an error. */
#define NAME_TEXT_MAX 96

#endif
