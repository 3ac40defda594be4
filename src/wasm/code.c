/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wasm/code.h"
#include "wasm/internal.h"

const struct op_info op_infos[OP_SLOT_COUNT] = {
#define OP(code, NAME, text, immediate, signature) [OP_SLOT(code)] = {text, immediate, signature},
#include "wasm/opcodes.def"
#undef OP
};

const char *opcode_name(uint32_t opcode)
{
    const struct op_info *info = op_info(opcode);

    return info ? info->text : NULL;
}

const char *reader_error_text(enum reader_error e)
{
    switch (e) {
    case READER_OK:
        return "no error";
    case READER_END:
        return "unexpected end";
    case READER_TOO_LONG:
        return "integer representation too long";
    case READER_TOO_BIG:
        return "integer too large";
    }
    UNREACHABLE();
}

/* A value type or the empty type is one byte; anything else must be a type index (spec 5.4.1). */
static int64_t block_type(struct reader *r)
{
    const uint8_t *begin = r->pos;
    int64_t type = reader_leb_s33(r);

    if (type < 0 && r->pos - begin > 1 && reader_ok(r)) {
        r->error = READER_TOO_LONG;
        r->error_pos = begin;
    }
    return type;
}

/* Steps over `count` LEB128 numbers of 32 bits. */
static void skip_numbers(struct reader *r, uint32_t count)
{
    for (uint32_t i = 0; i < count && reader_ok(r); i++)
        (void)reader_leb_u32(r);
}

/* select's types: more or fewer than one leave 0, which is no type (spec 3.3.2.1 wants one). */
static uint32_t select_type(struct reader *r)
{
    uint32_t count = reader_leb_u32(r);
    uint8_t type = 0;

    if (count == 1)
        return reader_u8(r);
    for (uint32_t i = 0; i < count && reader_ok(r); i++)
        type = reader_u8(r);
    (void)type;
    return 0;
}

static void read_immediate(struct reader *r, enum immediate immediate, struct instr *in)
{
    switch (immediate) {
    case IMM_NONE:
        break;
    case IMM_BLOCK:
        in->block_type = block_type(r);
        break;
    case IMM_LABEL:
    case IMM_FUNC:
    case IMM_LOCAL:
    case IMM_GLOBAL:
    case IMM_TABLE:
    case IMM_DATA:
    case IMM_ELEM:
        in->index = reader_leb_u32(r);
        break;
    case IMM_MEMORY:
    case IMM_REFTYPE:
    case IMM_LANE:
        in->index = reader_u8(r);
        break;
    case IMM_BR_TABLE: {
        uint32_t count = reader_leb_u32(r);
        const uint8_t *targets = r->pos;

        if (reader_ok(r) && count >= reader_left(r)) { /* each takes a byte, and the default too */
            r->error = READER_END;
            r->error_pos = r->end;
            break;
        }
        skip_numbers(r, count);
        (void)reader_leb_u32(r);
        in->targets = targets;
        in->target_count = count;
        break;
    }
    case IMM_CALL_INDIRECT:
    case IMM_ELEM_TABLE:
    case IMM_TABLE_TABLE:
        in->index = reader_leb_u32(r);
        in->index2 = reader_leb_u32(r);
        break;
    case IMM_DATA_MEMORY:
        in->index = reader_leb_u32(r);
        in->index2 = reader_u8(r);
        break;
    case IMM_MEMORY_MEMORY:
        in->index = reader_u8(r);
        in->index2 = reader_u8(r);
        break;
    case IMM_SELECT_T:
        in->index = select_type(r);
        break;
    case IMM_MEMARG:
    case IMM_MEMARG_LANE:
        in->mem.align = reader_leb_u32(r);
        in->mem.offset = reader_leb_u32(r);
        if (immediate == IMM_MEMARG_LANE)
            in->mem.lane = reader_u8(r);
        break;
    case IMM_I32:
        in->value = (uint64_t)(int64_t)reader_leb_s32(r);
        break;
    case IMM_I64:
        in->value = (uint64_t)reader_leb_s64(r);
        break;
    case IMM_F32:
        in->value = reader_u32_le(r);
        break;
    case IMM_F64:
        in->value = reader_u64_le(r);
        break;
    case IMM_V128:
    case IMM_LANES:
        in->bytes = reader_slice(r, 16).data;
        break;
    }
}

bool instr_next(struct reader *r, struct instr *in)
{
    const struct op_info *info;
    uint32_t opcode;

    *in = (struct instr){.start = (uint32_t)reader_offset(r)};
    opcode = reader_u8(r);
    if (UNLIKELY(opcode == 0xfc || opcode == 0xfd)) {
        uint32_t number = reader_leb_u32(r);

        /* Numbers too large for this scheme belong to no instruction, and must not look like one.
         */
        opcode = number <= 0xff ? (opcode << 8) + number : opcode << 24;
    }
    in->opcode = opcode;
    if (!reader_ok(r))
        return false;
    info = op_info(opcode);
    if (!info)
        return false;
    read_immediate(r, (enum immediate)info->immediate, in);
    return reader_ok(r);
}
