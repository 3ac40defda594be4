/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "wasm/code.h"
#include "tests/harness/harness.h"
#include "tests/unit/wasm/build.h"

/* Reads one instruction that must use up all bytes. */
static bool next(const uint8_t *bytes, size_t size, struct instr *in)
{
    struct reader r;

    reader_init(&r, slice_make(bytes, size));
    return instr_next(&r, in) && reader_left(&r) == 0;
}
#define NEXT(in, ...)                                                                              \
    next((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), (in))

TEST(instr_next_reads_each_kind_of_immediate)
{
    struct instr in;

    CHECK(NEXT(&in, 0x6a) && in.opcode == OP_I32_ADD);
    CHECK(NEXT(&in, 0x02, 0x40) && in.opcode == OP_BLOCK && in.block_type == BLOCK_TYPE_EMPTY);
    CHECK(NEXT(&in, 0x03, 0x7f) && in.block_type == -1);
    CHECK(NEXT(&in, 0x04, 0x6f) && in.block_type == -17);
    CHECK(NEXT(&in, 0x02, 0xc8, 0x01) && in.block_type == 200);
    CHECK(NEXT(&in, 0x0c, 0x83, 0x00) && in.index == 3);
    CHECK(NEXT(&in, 0x11, 2, 0x81, 0x80, 0x80, 0x80, 0x00) && in.index == 2 && in.index2 == 1);
    CHECK(NEXT(&in, 0x1c, 1, 0x7c) && in.opcode == OP_SELECT_T && in.index == VALTYPE_F64);
    CHECK(NEXT(&in, 0x1c, 2, 0x7c, 0x7c) && in.index == 0);
    CHECK(NEXT(&in, 0x28, 2, 0x90, 0x01) && in.mem.align == 2 && in.mem.offset == 144);
    CHECK(NEXT(&in, 0x41, 0x7f) && in.value == UINT64_MAX);
    CHECK(NEXT(&in, 0x42, 0x80, 0x80, 0x80, 0x80, 0x08) && in.value == (uint64_t)1 << 31);
    CHECK(NEXT(&in, 0x43, 1, 2, 3, 0x84) && in.value == 0x84030201);
    CHECK(NEXT(&in, 0x44, 1, 0, 0, 0, 0, 0, 0, 0x80) && in.value == 0x8000000000000001);
    CHECK(NEXT(&in, 0xfc, 8, 5, 0) && in.opcode == OP_MEMORY_INIT && in.index == 5);
    CHECK(NEXT(&in, 0xfc, 0x8c, 0, 5, 6) && in.opcode == OP_TABLE_INIT && in.index == 5 &&
          in.index2 == 6);
    CHECK(NEXT(&in, 0xfd, 0xff, 1) && in.opcode == OP_F64X2_CONVERT_LOW_I32X4_U);
    CHECK(NEXT(&in, 0xfd, 0x15, 9) && in.opcode == OP_I8X16_EXTRACT_LANE_S && in.index == 9);
    CHECK(NEXT(&in, 0xfd, 0x54, 0, 7, 3) && in.opcode == OP_V128_LOAD8_LANE && in.mem.offset == 7 &&
          in.mem.lane == 3);
    CHECK(NEXT(&in, 0xfd, 0x0c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) &&
          in.bytes[15] == 15);
}

TEST(instr_next_reads_br_table_up_to_its_default)
{
    static const uint8_t table[] = {0x0e, 2, 0x80, 0, 1, 2};
    struct instr in;

    CHECK(next(table, sizeof(table), &in) && in.target_count == 2);
    CHECK(in.targets[0] == 0x80 && in.targets[3] == 2);
    CHECK(!NEXT(&in, 0x0e, 2, 0, 1));
    CHECK(!NEXT(&in, 0x0e, 0xff, 0xff, 0xff, 0xff, 0x0f, 1));
}

TEST(instr_next_tells_unknown_numbers_from_missing_bytes)
{
    static const uint8_t unknown[] = {0x06}, unknown_fc[] = {0xfc, 0x12},
                         unknown_fd[] = {0xfd, 0x9a, 1},
                         huge[] = {0xfd, 0x80, 0x80, 0x80, 0x80, 0x0f}, cut[] = {0xfc},
                         wide[] = {0x02, 0xff, 0x7f};
    struct reader r;
    struct instr in;

    reader_init(&r, slice_make(unknown, 1));
    CHECK(!instr_next(&r, &in) && reader_ok(&r) && in.opcode == 0x06);
    reader_init(&r, slice_make(unknown_fc, 2));
    CHECK(!instr_next(&r, &in) && reader_ok(&r) && in.opcode == 0xfc12);
    reader_init(&r, slice_make(unknown_fd, 3));
    CHECK(!instr_next(&r, &in) && reader_ok(&r) && in.opcode == 0xfd9a);
    reader_init(&r, slice_make(huge, 6));
    CHECK(!instr_next(&r, &in) && reader_ok(&r) && !opcode_name(in.opcode));
    reader_init(&r, slice_make(cut, 1));
    CHECK(!instr_next(&r, &in) && r.error == READER_END);
    reader_init(&r, slice_make(wide, 3)); /* a value type is one byte */
    CHECK(!instr_next(&r, &in) && !reader_ok(&r));
}

TEST(opcodes_have_the_names_of_the_specification)
{
    unsigned count = 0;

    for (uint32_t op = 0; op < 0x10000; op++)
        count += opcode_name(op) != NULL;
    CHECK(count == 183 + 18 + 236);
    CHECK_TEXT(opcode_name(OP_I64_EXTEND32_S), "i64.extend32_s");
    CHECK_TEXT(opcode_name(OP_TABLE_FILL), "table.fill");
    CHECK_TEXT(opcode_name(0xfdba), "i32x4.dot_i16x8_s");
    CHECK_TEXT(opcode_name(0xfd6e), "i8x16.add");
    CHECK(!opcode_name(0x06) && !opcode_name(0xfcff) && !opcode_name(UINT32_MAX));
}
