/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#define _GNU_SOURCE
/* Stacks for C functions that are left in the middle. The switch itself is a few instructions for
 * each architecture (x86_64/coroutine.S); sanitizers are told of it. */
#include "plat/coroutine.h"
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define HAS_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define HAS_TSAN 1
#endif

#ifdef HAS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HAS_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define GUARD_SIZE 4096u

/* At the upper end of its own stack. */
struct coroutine {
    void *inside,
        *outside; /* stack pointers: of the function while it is left, and of who runs it */
    void (*run)(void *arg);
    void *arg;
    bool has_returned;
    uint8_t *mapping;
    size_t size; /* of the mapping */
#ifdef HAS_ASAN
    void *fake_inside, *fake_outside;
    const void *outside_bottom;
    size_t outside_size;
#endif
#ifdef HAS_TSAN
    void *fiber, *outside_fiber;
#endif
};

void coroutine_switch(void **from, void *to);
void coroutine_first(void);

struct coroutine *coroutine_new(size_t stack_size)
{
    size_t size = stack_size + GUARD_SIZE;
    uint8_t *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    struct coroutine *c;

    if (mapping == MAP_FAILED)
        return NULL;
    if (mprotect(mapping, GUARD_SIZE, PROT_NONE) != 0) {
        munmap(mapping, size);
        return NULL;
    }
    c = (struct coroutine *)(void *)(mapping + size - ((sizeof(*c) + 63) & ~(size_t)63));
    c->mapping = mapping;
    c->size = size;
#ifdef HAS_TSAN
    c->fiber = __tsan_create_fiber(0);
#endif
    return c;
}

void coroutine_free(struct coroutine *c)
{
    if (!c)
        return;
#ifdef HAS_TSAN
    __tsan_destroy_fiber(c->fiber);
#endif
    munmap(c->mapping, c->size);
}

static void leave(struct coroutine *c)
{
#ifdef HAS_ASAN
    /* Returned: what the sanitizer kept for the stack goes. */
    __sanitizer_start_switch_fiber(c->has_returned ? NULL : &c->fake_inside, c->outside_bottom,
                                   c->outside_size);
#endif
#ifdef HAS_TSAN
    __tsan_switch_to_fiber(c->outside_fiber, 0);
#endif
    coroutine_switch(&c->inside, c->outside);
#ifdef HAS_ASAN
    __sanitizer_finish_switch_fiber(c->fake_inside, &c->outside_bottom, &c->outside_size);
#endif
}

static void enter(void *arg)
{
    struct coroutine *c = arg;

#ifdef HAS_ASAN
    __sanitizer_finish_switch_fiber(NULL, &c->outside_bottom, &c->outside_size);
#endif
    c->run(c->arg);
    c->has_returned = true;
    leave(c);
    UNREACHABLE();
}

void coroutine_start(struct coroutine *c, void (*run)(void *arg), void *arg)
{
    /* What coroutine_switch pops: r15 to rbp, the address; then the stack is aligned for a call. */
    void **sp = (void **)(void *)c - 2;
    void (*const first)(void) = coroutine_first;
    void (*const code)(void *) = enter;

    sp -= 7;
    memset(sp, 0, 7 * sizeof(*sp));
    memcpy(&sp[6], &first, sizeof(first));
    memcpy(&sp[4], &code, sizeof(code));
    sp[3] = c;
    c->inside = sp;
    c->run = run;
    c->arg = arg;
    c->has_returned = false;
}

bool coroutine_resume(struct coroutine *c)
{
#ifdef HAS_ASAN
    uint8_t *bottom = c->mapping + GUARD_SIZE;

    __sanitizer_start_switch_fiber(&c->fake_outside, bottom, (size_t)((uint8_t *)c - bottom));
#endif
#ifdef HAS_TSAN
    c->outside_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(c->fiber, 0);
#endif
    coroutine_switch(&c->outside, c->inside);
#ifdef HAS_ASAN
    __sanitizer_finish_switch_fiber(c->fake_outside, NULL, NULL);
#endif
    return c->has_returned;
}

void coroutine_leave(struct coroutine *c)
{
    leave(c);
}

size_t coroutine_stack_left(const struct coroutine *c)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t bottom = (uintptr_t)c->mapping + GUARD_SIZE;

    return here > bottom ? here - bottom : 0;
}
