/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What SQLite allocates counts for the process it works for, whose connections may together have as
 * much as the process may have memory of its own. A block remembers its account, so that it does
 * not matter who frees it. */
#include "base/mem.h"
#include "host/sqlite/internal.h"

#define HOLDER     ((uint64_t)1 << 48)
#define USED(s)    ((s) & (HOLDER - 1))
#define CHUNK_SIZE (64u << 10) /* in which the machine's memory is charged */
#define SPARE_SIZE (1u << 20)  /* charged, not used: more goes back */

struct block {
    struct sqlite_account *account; /* NULL: nobody's */
    size_t size;
};

static_assert(sizeof(struct block) == 16, "what follows is aligned like the block");

struct sqlite_account *sqlite_account_new(uint64_t size_max, uint64_t descriptor_max)
{
    struct sqlite_account *a = mem_try(struct sqlite_account);

    if (!a)
        return NULL;
    atomic_init(&a->state, HOLDER);
    a->size_max = size_max < HOLDER - 1 ? size_max : HOLDER - 1;
    a->descriptor_max = descriptor_max;
    return a;
}

static void subtract(struct sqlite_account *a, uint64_t what)
{
    /* acquire-release: who frees the account has seen all others leave it */
    if (atomic_fetch_sub_explicit(&a->state, what, memory_order_acq_rel) != what)
        return;
    mem_uncharge(atomic_load_explicit(&a->charged, memory_order_relaxed));
    mem_free(a);
}

void sqlite_account_ref(struct sqlite_account *a)
{
    atomic_fetch_add_explicit(&a->state, HOLDER, memory_order_relaxed);
}

void sqlite_account_unref(struct sqlite_account *a)
{
    if (a)
        subtract(a, HOLDER);
}

uint64_t sqlite_account_used(const struct sqlite_account *a)
{
    return USED(atomic_load_explicit(&a->state, memory_order_relaxed));
}

enum file_error sqlite_descriptor_take(struct sqlite_account *a)
{
    if (atomic_fetch_add_explicit(&a->descriptors, 1, memory_order_relaxed) < a->descriptor_max)
        return FERR_OK;
    sqlite_descriptor_give(a);
    return FERR_MFILE;
}

void sqlite_descriptor_give(struct sqlite_account *a)
{
    atomic_fetch_sub_explicit(&a->descriptors, 1, memory_order_relaxed);
}

static bool take(struct sqlite_account *a, uint64_t size)
{
    uint64_t now = USED(atomic_fetch_add_explicit(&a->state, size, memory_order_relaxed)) + size;
    uint64_t charged = atomic_load_explicit(&a->charged, memory_order_relaxed), more;

    if (now > a->size_max) {
        subtract(a, size);
        return false;
    }
    if (LIKELY(now <= charged))
        return true;
    more = (now - charged + CHUNK_SIZE - 1) / CHUNK_SIZE * CHUNK_SIZE;
    if (!mem_charge(more)) {
        subtract(a, size);
        return false;
    }
    atomic_fetch_add_explicit(&a->charged, more, memory_order_relaxed);
    return true;
}

static void give(struct sqlite_account *a, uint64_t size)
{
    uint64_t now = USED(atomic_load_explicit(&a->state, memory_order_relaxed)) - size;
    uint64_t charged = atomic_load_explicit(&a->charged, memory_order_relaxed);

    if (UNLIKELY(charged > now + 2 * SPARE_SIZE)) {
        uint64_t keep = (now + SPARE_SIZE) / CHUNK_SIZE * CHUNK_SIZE;

        if (atomic_compare_exchange_strong_explicit(&a->charged, &charged, keep,
                                                    memory_order_relaxed, memory_order_relaxed))
            mem_uncharge(charged - keep);
    }
    subtract(a, size);
}

static struct block *block_of(void *data)
{
    return (struct block *)data - 1;
}

static void *memory_new(int size)
{
    struct database *db = sqlite_current();
    struct sqlite_account *a = db ? db->account : NULL;
    size_t whole = (size_t)size + sizeof(struct block);
    struct block *b;

    /* Whoever recurses allocates: queries that are nested too deeply end here. */
    if (db && db->call.coroutine &&
        UNLIKELY(coroutine_stack_left(db->call.coroutine) < SQLITE_STACK_LEAST))
        return NULL;
    if (a && !take(a, whole))
        return NULL;
    b = mem_try_realloc(NULL, 1, whole);
    if (!b) {
        if (a)
            give(a, whole);
        return NULL;
    }
    b->account = a;
    b->size = whole;
    return b + 1;
}

static void memory_free(void *data)
{
    struct block *b;
    struct sqlite_account *a;
    size_t size;

    if (!data)
        return;
    b = block_of(data);
    a = b->account;
    size = b->size;
    mem_free(b);
    if (a)
        give(a, size);
}

static void *memory_resize(void *data, int size)
{
    struct block *b = block_of(data), *resized;
    struct sqlite_account *a = b->account;
    size_t before = b->size, whole = (size_t)size + sizeof(struct block);

    if (a && whole > before && !take(a, whole - before))
        return NULL;
    resized = mem_try_realloc(b, 1, whole);
    if (!resized) {
        if (a && whole > before)
            give(a, whole - before);
        return NULL;
    }
    resized->size = whole;
    if (a && whole < before)
        give(a, before - whole);
    return resized + 1;
}

static int memory_size(void *data)
{
    return data ? (int)(block_of(data)->size - sizeof(struct block)) : 0;
}

static int memory_round_up(int size)
{
    return (size + 15) & ~15;
}

static int memory_start(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}

static void memory_end(void *arg)
{
    (void)arg;
}

bool sqlite_memory_install(void)
{
    static const sqlite3_mem_methods methods = {
        memory_new,      memory_free,  memory_resize, memory_size,
        memory_round_up, memory_start, memory_end,    NULL};

    /* Without its own statistics an allocation takes no lock of the whole program. */
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK &&
           sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK;
}
