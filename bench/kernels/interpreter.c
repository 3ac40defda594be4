/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "kernel.h"

enum { PUSH, ADD, SUB, MUL, DUP, SWAP, JUMP_NOT_ZERO, LOAD, STORE, MOD, HALT };

/* sum = 0; for (n = 50000; n; n--) sum = (sum + n * n) % 65521 */
static const int32_t program[] = {PUSH,          50000, STORE, 0, PUSH,          0,   STORE, 1,
                                  /* 8: */ LOAD, 1,     LOAD,  0, DUP,           MUL, ADD,   PUSH,
                                  65521,         MOD,   STORE, 1, LOAD,          0,   PUSH,  1,
                                  SUB,           DUP,   STORE, 0, JUMP_NOT_ZERO, 8,   HALT};

__attribute__((noinline)) static uint32_t run(const int32_t *code)
{
    uint32_t stack[16], vars[4] = {0};
    int sp = 0;

    for (int pc = 0;;) {
        switch (code[pc++]) {
        case PUSH:
            stack[sp++] = (uint32_t)code[pc++];
            break;
        case ADD:
            sp--;
            stack[sp - 1] += stack[sp];
            break;
        case SUB:
            sp--;
            stack[sp - 1] -= stack[sp];
            break;
        case MUL:
            sp--;
            stack[sp - 1] *= stack[sp];
            break;
        case MOD:
            sp--;
            stack[sp - 1] %= stack[sp];
            break;
        case DUP:
            stack[sp] = stack[sp - 1];
            sp++;
            break;
        case SWAP: {
            uint32_t t = stack[sp - 1];

            stack[sp - 1] = stack[sp - 2];
            stack[sp - 2] = t;
            break;
        }
        case JUMP_NOT_ZERO:
            pc = stack[--sp] ? code[pc] : pc + 1;
            break;
        case LOAD:
            stack[sp++] = vars[code[pc++]];
            break;
        case STORE:
            vars[code[pc++]] = stack[--sp];
            break;
        case HALT:
            return vars[1];
        }
    }
}

uint64_t kernel_interpreter(void)
{
    return run(program);
}
