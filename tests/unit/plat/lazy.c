/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Lazy arenas and the signal that they take. Each in a process of its own, because signals are
 * global. */
#include "plat/vmem.h"
#include "tests/harness/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_HERE 77 /* this kernel, or this container, has no lazy arenas */

static uint8_t *arena;
static volatile unsigned filled;

static bool fill(uint8_t *page)
{
    uint8_t contents[VMEM_PAGE];

    if (page == arena + 3 * VMEM_PAGE)
        return false; /* as if memory were out */
    filled++;
    memset(contents, (int)((page - arena) / VMEM_PAGE) + 1, sizeof(contents));
    return vmem_lazy_fill(page, page == arena ? NULL : contents);
}

static void start(void)
{
    if (!vmem_lazy_start(fill))
        _exit(NOT_HERE);
    arena = vmem_map(16 * VMEM_PAGE, VMEM_PAGE);
    if (!arena || !vmem_lazy_register(arena, 16 * VMEM_PAGE))
        _exit(1);
}

/* A page of a file that has no such page. */
static volatile uint8_t *beyond_the_file(void)
{
    char name[] = "/tmp/lunatic-lazy-XXXXXX";
    int fd = mkstemp(name);
    void *at = MAP_FAILED;

    if (fd >= 0) {
        unlink(name);
        at = mmap(NULL, VMEM_PAGE, PROT_READ, MAP_SHARED, fd, 0);
    }
    if (at == MAP_FAILED)
        _exit(1);
    return at;
}

/* What became of `body` in a child: its exit status, or 1000 and the signal. */
static int run(void (*body)(void))
{
    int status, null;
    pid_t child = fork();

    if (child == 0) {
        null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        signal(SIGBUS, SIG_DFL); /* a sanitizer may have it */
        body();
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void touches(void)
{
    char text[4] = "";
    int ends[2];

    start();
    for (unsigned p = 0; p < 16; p++) {
        if (p == 3)
            continue;
        if (((volatile uint8_t *)arena)[p * VMEM_PAGE + 9] != (p ? p + 1 : 0))
            _exit(2);
    }
    if (filled != 15)
        _exit(3);
    arena[5 * VMEM_PAGE] = 99;
    if (filled != 15 || !vmem_lazy_fill(arena + 5 * VMEM_PAGE, NULL) || arena[5 * VMEM_PAGE] != 99)
        _exit(4); /* what is present stays */
    if (!vmem_discard(&(struct vmem_range){arena + 4 * VMEM_PAGE, 4 * VMEM_PAGE}, 1))
        _exit(5);
    if (pipe(ends) || write(ends[1], arena + 5 * VMEM_PAGE, 4) != -1)
        _exit(6); /* the kernel does not touch for us */
    vmem_prepare(arena + 5 * VMEM_PAGE, 4);
    vmem_prepare(arena + 6 * VMEM_PAGE - 2, 0);
    if (filled != 16 || write(ends[1], arena + 5 * VMEM_PAGE, 4) != 4 ||
        read(ends[0], text, 4) != 4 || text[3] != 6)
        _exit(7);
    vmem_prepare(arena + 7 * VMEM_PAGE - 2, 4);
    if (filled != 18)
        _exit(8);
}

static void faults_elsewhere(void)
{
    start();
    (void)*beyond_the_file();
}

static void is_sent(void)
{
    start();
    raise(SIGBUS);
}

static void is_sent_and_ignored(void)
{
    signal(SIGBUS, SIG_IGN);
    start();
    raise(SIGBUS);
    if (((volatile uint8_t *)arena)[VMEM_PAGE] != 2)
        _exit(1);
}

static void on_bus(int number)
{
    _exit(number == SIGBUS ? 42 : 43);
}

static void faults_elsewhere_and_is_handled(void)
{
    signal(SIGBUS, on_bus);
    start();
    if (((volatile uint8_t *)arena)[VMEM_PAGE] != 2)
        _exit(1);
    (void)*beyond_the_file();
}

static void on_bus_info(int number, siginfo_t *info, void *ucontext)
{
    (void)number;
    _exit(info->si_code == BUS_ADRERR && ucontext ? 44 : 45);
}

static void faults_elsewhere_and_is_explained(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_info, .sa_flags = SA_SIGINFO};

    sigaction(SIGBUS, &action, NULL);
    start();
    (void)*beyond_the_file();
}

static void memory_is_out(void)
{
    start();
    (void)((volatile uint8_t *)arena)[3 * VMEM_PAGE];
}

static void starts_twice(void)
{
    start();
    if (!vmem_lazy_start(fill) || vmem_lazy_start((vmem_missing_fn *)(void *)on_bus))
        _exit(1);
}

static bool ends_with(void (*body)(void), int wanted)
{
    int got = run(body);

    return got == wanted || got == NOT_HERE;
}

TEST(absent_pages_come_when_touched)
{
    CHECK(ends_with(touches, 0));
    CHECK(ends_with(starts_twice, 0));
}

/* Whatever is not ours happens as if we were not there. */
TEST(other_bus_errors_reach_whom_they_reached_before)
{
    CHECK(ends_with(faults_elsewhere, 1000 + SIGBUS));
    CHECK(ends_with(is_sent, 1000 + SIGBUS));
    CHECK(ends_with(is_sent_and_ignored, 0));
    CHECK(ends_with(faults_elsewhere_and_is_handled, 42));
    CHECK(ends_with(faults_elsewhere_and_is_explained, 44));
}

TEST(without_memory_for_a_page_the_program_ends)
{
    CHECK(ends_with(memory_is_out, 1000 + SIGBUS));
}
