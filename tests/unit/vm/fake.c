/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "fake.h"
#include "base/mem.h"
#include "tests/harness/harness.h"
#include "vm/code.h"

#include <string.h>

/* Stubs and functions as a compiler would make them (vm/convention.h), in .data because they hold
 * absolute addresses of the exits. Copied to the code arena, never run here. */
__asm__(".pushsection .data\n"
        ".balign 4096\n"
        ".globl fake_block, fake_enter, fake_host_stub, fake_functions, fake_block_end\n"
        "fake_block:\n"
        /* enter (i64) -> (i64) */
        "fake_enter:\n"
        "  movq (%rsp), %rax\n"
        "  movq 8(%rsp), %rdi\n"
        "  callq *(%rax)\n"
        "  movq %rax, 8(%rsp)\n"
        "  movabsq $vm_stop_returned, %r11\n"
        "  jmpq *%r11\n"
        /* host (i64) -> (i64): keeps x and the function at rsp */
        "fake_host_stub:\n"
        "  subq $24, %rsp\n"
        "  movq %rdi, (%rsp)\n"
        "  movq %rax, 8(%rsp)\n"
        "fake_again:\n"
        "  movq 24(%r15), %rbx\n"
        "  movq %rsp, 8(%rbx)\n"
        "  movq 40(%rbx), %rdi\n"
        "  movq (%rsp), %rsi\n"
        "  movq 8(%rsp), %rax\n"
        "  movq (%rbx), %rsp\n"
        "  callq *16(%rax)\n"
        "  movq 8(%rbx), %rsp\n"
        "  testq %rdx, %rdx\n"
        "  jne 2f\n"
        "  movq 32(%rbx), %rcx\n"
        "  cmpl $0, (%rcx)\n"
        "  jne 3f\n"
        "1: addq $24, %rsp\n"
        "  retq\n"
        "2: cmpq $1, %rdx\n"
        "  je 4f\n"
        "  movq %rax, 56(%rbx)\n"
        "  movq %rdx, 64(%rbx)\n"
        "  leaq fake_again(%rip), %rax\n"
        "  movabsq $vm_stop_outcome, %r11\n"
        "  jmpq *%r11\n"
        "3: movq %rax, (%rsp)\n"
        "  leaq 5f(%rip), %rax\n"
        "  movabsq $vm_stop_tick, %r11\n"
        "  jmpq *%r11\n"
        "5: movq (%rsp), %rax\n"
        "  jmp 1b\n"
        "4: addq $24, %rsp\n"
        "  movabsq $vm_stop_trap, %r11\n"
        "  jmpq *%r11\n"
        "fake_trap_stub:\n"
        "  movl $1, %eax\n" /* TRAP_UNREACHABLE */
        "  movabsq $vm_stop_trap, %r11\n"
        "  jmpq *%r11\n"
        "fake_grow_stub:\n"
        "  movabsq $vm_grow_stack, %r11\n"
        "  jmpq *%r11\n"
        "  .balign 4096, 0xcc\n"
        "fake_functions:\n"
        ".globl fake_call_host, fake_count, fake_sum, fake_trap, fake_store, fake_fuel\n"
        "fake_call_host:\n" /* frame 8 */
        "  subq $8, %rsp\n"
        "  incq %rdi\n"
        "  movq 32(%r15), %rax\n"
        "  callq *(%rax)\n"
        "  addq %rax, %rax\n"
        "  addq $8, %rsp\n"
        "  retq\n"
        "fake_count:\n" /* the sum of 1..x, three ways at once; 0 if they differ */
        "  xorl %eax, %eax\n"
        "  xorl %ecx, %ecx\n"
        "  xorps %xmm0, %xmm0\n"
        "  xorps %xmm15, %xmm15\n"
        "  xorl %r8d, %r8d\n"
        "  cmpq %rcx, %rdi\n"
        "1: pushfq\n" /* flags and a stack word live across everything that follows */
        "  popfq\n"
        "  je 2f\n"
        "  leaq 1(%rcx), %rcx\n"
        "  leaq (%rax,%rcx), %rax\n"
        "  movq %rcx, %xmm1\n"
        "  paddq %xmm1, %xmm15\n"
        "  movq %rcx, %r11\n"
        "  movq %r11, -8(%rsp)\n" /* no red zone is promised; nothing may touch it either */
        "  addq -8(%rsp), %r8\n"
        "  cmpq %rcx, %rdi\n"
        "  jmp 1b\n"
        "2: movq %xmm15, %rdx\n"
        "  cmpq %rdx, %rax\n"
        "  jne 3f\n"
        "  cmpq %r8, %rax\n"
        "  jne 3f\n"
        "  retq\n"
        "3: xorl %eax, %eax\n"
        "  retq\n"
        "fake_sum:\n" /* frame 24 */
        "  cmpq 16(%r15), %rsp\n"
        "  jb 2f\n"
        "3: subq $24, %rsp\n"
        "  movq %rdi, 8(%rsp)\n"
        "  xorl %eax, %eax\n"
        "  testq %rdi, %rdi\n"
        "  je 1f\n"
        "  decq %rdi\n"
        "  callq fake_sum\n"
        "fake_sum_site:\n"
        "  addq 8(%rsp), %rax\n"
        "1: addq $24, %rsp\n"
        "  retq\n"
        "2: movl $24, %eax\n"
        "  callq fake_grow_stub\n"
        "  jmp 3b\n"
        "fake_trap:\n" /* frame 32 */
        "  subq $32, %rsp\n"
        "  callq fake_trap_stub\n"
        "fake_trap_site:\n"
        "  int3\n"
        "fake_store:\n"
        "  movq 0(%r15), %r14\n"
        "  movb %dil, (%r14,%rdi)\n"
        "  movl $65536, %eax\n"
        "  subq %rdi, %rax\n"
        "  movzbl (%r14,%rax), %eax\n"
        "  retq\n"
        "fake_fuel:\n" /* frame 0 */
        "  movq %rdi, %rax\n"
        "  movq %rdi, %r12\n"
        "  movq %rdi, %xmm9\n"
        "  movabsq $vm_stop_fuel, %r11\n"
        "  callq *%r11\n"
        "fake_fuel_site:\n"
        "  addq %r12, %rax\n"
        "  movq %xmm9, %rdx\n"
        "  addq %rdx, %rax\n"
        "  retq\n"
        ".globl fake_sum_site, fake_trap_site, fake_fuel_site\n"
        "fake_block_end:\n"
        ".popsection\n");

extern uint8_t fake_block[], fake_enter[], fake_host_stub[], fake_functions[], fake_block_end[],
    fake_call_host[], fake_count[], fake_sum[], fake_trap[], fake_store[], fake_fuel[],
    fake_sum_site[], fake_trap_site[], fake_fuel_site[];

static const uint8_t i64_type[] = {VALTYPE_I64};
static const struct functype types[] = {
    {.param_count = 1, .result_count = 1, .params = i64_type, .results = i64_type}};
static const struct function_decl functions[FAKE_FUNCTION_COUNT];
static const struct global_decl globals[] = {
    {.type = VALTYPE_I32, .is_mutable = true, .init = {.kind = CONSTEXPR_VALUE, .bits = 65536}}};

static uint32_t offset_of(const uint8_t *label)
{
    return (uint32_t)(label - fake_block);
}

static struct code *make_code(void)
{
    static uint8_t *const labels[] = {fake_call_host, fake_count, fake_sum,      fake_trap,
                                      fake_store,     fake_fuel,  fake_block_end};
    static const uint32_t frames[] = {8, 0, 24, 32, 0, 0};
    struct code *c = mem_new(struct code);

    c->size = (size_t)(fake_block_end - fake_block);
    c->bytes = mem_alloc(c->size, 1);
    memcpy(c->bytes, fake_block, c->size);
    c->stubs_size = offset_of(fake_functions);
    c->entry_count = FAKE_FUNCTION_COUNT - 1;
    c->entries = mem_new_array(uint32_t, c->entry_count);
    c->range_count = c->entry_count + 1;
    c->ranges = mem_new_array(struct code_range, c->range_count);
    c->ranges[0] = (struct code_range){.begin = offset_of(fake_host_stub),
                                       .end = offset_of(fake_functions),
                                       .frame_size = 24,
                                       .function = CODE_NO_FUNCTION};
    for (uint32_t f = 0; f < c->entry_count; f++) {
        c->entries[f] = offset_of(labels[f]);
        c->ranges[f + 1] = (struct code_range){.begin = offset_of(labels[f]),
                                               .end = offset_of(labels[f + 1]),
                                               .entry = offset_of(labels[f]),
                                               .frame_size = frames[f],
                                               .function = f + 1};
    }
    c->site_count = 3;
    c->sites = mem_new_array(struct code_site, 3);
    c->sites[0] = (struct code_site){offset_of(fake_sum_site), 0x333};
    c->sites[1] = (struct code_site){offset_of(fake_trap_site), 0x444};
    c->sites[2] = (struct code_site){offset_of(fake_fuel_site), 0x666};
    c->type_count = 1;
    c->thunks = mem_new_array(struct code_thunks, 1);
    c->thunks[0] = (struct code_thunks){.type_id = type_intern(&types[0]),
                                        .enter = offset_of(fake_enter),
                                        .host = offset_of(fake_host_stub)};
    return c;
}

static bool resolve(void *context, struct slice module, struct slice name,
                    const struct functype *type, struct host_import *out, char *hint,
                    size_t hint_size)
{
    const struct fake_options *o = context;

    (void)module, (void)name, (void)type, (void)hint, (void)hint_size;
    out->function = (const void *)(uintptr_t)o->host;
    return o->host != NULL;
}

struct program *fake_program(const struct fake_options *options)
{
    return fake_program_torture(options, 0);
}

struct program *fake_program_torture(const struct fake_options *options, size_t n)
{
    static struct import import = {.kind = EXTERN_FUNC};
    struct module *m = mem_new(struct module);
    struct data_segment *data = mem_new(struct data_segment);
    struct memory_decl *memory = mem_new(struct memory_decl);
    struct fake_options copy = *options;
    struct program_options o = {
        .resolve = resolve, .resolve_context = &copy, .extra_size = options->extra_size};
    struct code *code = make_code();
    struct program *p = NULL;
    struct error err;

    import.module = slice_text("env");
    import.name = slice_text("host");
    m->type_count = 1;
    m->types = types;
    m->function_count = FAKE_FUNCTION_COUNT;
    m->functions = functions;
    m->imported_functions = 1;
    m->import_count = 1;
    m->imports = &import;
    m->body_count = FAKE_FUNCTION_COUNT - 1;
    m->global_count = 1;
    m->globals = globals;
    m->memories = memory;
    m->datas = data;
    if (options->memory_pages) {
        m->memory_count = 1;
        memory->limits.min = options->memory_pages;
    }
    if (options->data_size) {
        m->data_count = 1;
        data->mode = SEGMENT_ACTIVE;
        data->offset.bits = options->data_at;
        data->bytes = slice_make(options->data, options->data_size);
    }
    mem_fail_after(n);
    if (!program_new(m, code, &o, &p, NULL, &err)) {
        if (n == 0)
            test_failed(__FILE__, __LINE__, err.text);
        code_free(code);
        mem_free(memory);
        mem_free(data);
        mem_free(m);
    }
    mem_fail_after(0);
    return p;
}

void fake_program_free(struct program *p)
{
    const struct module *m = program_module(p);
    struct code *code = (struct code *)(uintptr_t)program_code(p);

    program_unref(p);
    code_free(code);
    mem_free((void *)(uintptr_t)m->memories);
    mem_free((void *)(uintptr_t)m->datas);
    mem_free((void *)(uintptr_t)m);
}
