/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "vm/slot.h"
#include "base/mem.h"
#include "plat/thread.h"
#include "plat/vmem.h"

#include <string.h>

#define PENDING_MAX    64u   /* slots verified by one look at the fault counter */
#define RETAINED_PAGES 96u   /* present pages that a free slot keeps */
#define STACK_PAGES    2u    /* of them below the hot page */
#define FREE_MAX       1024u /* slots that a worker keeps for itself, per region */
#define SHARE          256u  /* slots that change hands between a worker and the others at a time */
#define SHARED_PART    32u   /* all workers together keep free slots for at most 1/32 of memory */
#define RANGES_MAX     64u
#define SLOT_COMMIT    (16u << 10) /* what a slot is taken to commit */

/* Free slots that any worker may take. */
static struct {
    struct mutex lock;
    struct slot *free[REGION_COUNT];
    _Atomic uint32_t count[REGION_COUNT]; /* changes under the lock */
} shared;

struct slot_cache {
    uint32_t worker;
    bool is_scarce; /* address space is, and there are few slots: none is kept from the others */
    struct slot *free[REGION_COUNT];
    uint32_t free_count[REGION_COUNT];
    struct slot *pending;
    uint32_t pending_count;
    uint64_t fault_count;                 /* of the thread, at the last check */
    uint64_t fault_checks;                /* checks that saw a change */
    struct vmem_range ranges[RANGES_MAX]; /* to be discarded before the pending are free */
    uint32_t range_count;
    _Atomic int64_t live; /* taken less given; may be negative, as slots change workers */
    struct slot_cache *next;
};

static struct {
    struct mutex lock;
    struct slot_cache *first;
    int64_t live_of_gone; /* caches that were freed */
    _Atomic int64_t cut;  /* slots that exist, live or retained */
} all;

struct slot_cache *slot_cache_new(uint32_t worker)
{
    struct slot_cache *c = mem_new(struct slot_cache);

    c->worker = worker;
    c->is_scarce = !region_is_plentiful();
    c->fault_checks = 1;
    mutex_lock(&all.lock);
    c->next = all.first;
    all.first = c;
    mutex_unlock(&all.lock);
    return c;
}

uint64_t slots_live(void)
{
    int64_t live;

    mutex_lock(&all.lock);
    live = all.live_of_gone;
    for (struct slot_cache *c = all.first; c; c = c->next)
        live += atomic_load_explicit(&c->live, memory_order_relaxed);
    mutex_unlock(&all.lock);
    return live > 0 ? (uint64_t)live : 0;
}

uint64_t slots_retained(void)
{
    int64_t cut = atomic_load_explicit(&all.cut, memory_order_relaxed);
    int64_t live = (int64_t)slots_live();

    return cut > live ? (uint64_t)(cut - live) : 0;
}

static void discards_flush(struct slot_cache *c)
{
    bool ok = c->range_count == 0 || vmem_discard(c->ranges, c->range_count);

    /* What cannot be discarded (never seen) is wiped by hand: correctness does not hang on it. */
    if (UNLIKELY(!ok))
        for (uint32_t r = 0; r < c->range_count; r++)
            memset(c->ranges[r].at, 0, c->ranges[r].size);
    c->range_count = 0;
}

static void discard(struct slot_cache *c, uint8_t *at, size_t size)
{
    if (c->range_count) {
        struct vmem_range *last = &c->ranges[c->range_count - 1];

        if ((uint8_t *)last->at + last->size == at) {
            last->size += size;
            return;
        }
    }
    if (c->range_count == RANGES_MAX)
        discards_flush(c);
    c->ranges[c->range_count++] = (struct vmem_range){at, size};
}

static bool page_get(const struct slot *s, size_t page)
{
    return page < SLOT_WINDOW && (s->present[page / 64] >> (page % 64) & 1);
}

static void page_set(struct slot *s, size_t page)
{
    if (page < SLOT_WINDOW)
        s->present[page / 64] |= 1ull << (page % 64);
}

static void page_clear(struct slot *s, size_t page)
{
    if (page < SLOT_WINDOW)
        s->present[page / 64] &= ~(1ull << (page % 64));
}

#define RETIRE_BATCH 64u

/* Whole slots back to the system, in one call for all; their headers are gone afterwards. */
static void slots_retire(struct slot *const *slots, size_t count)
{
    struct vmem_range ranges[RETIRE_BATCH] = {0};
    enum region regions[RETIRE_BATCH];
    bool ok;

    for (size_t n = 0; n < count; n++) {
        uint64_t stride = region_stride(slots[n]->region);
        uint64_t window = SLOT_WINDOW * (uint64_t)VMEM_PAGE;

        regions[n] = slots[n]->region;
        ranges[n] = (struct vmem_range){slots[n]->low, stride < window ? stride : window};
    }
    ok = vmem_discard(ranges, count);
    for (size_t n = 0; n < count; n++) /* large ones are closed again under strict overcommit */
        region_give(regions[n], ranges[n].at, ok && !region_is_strict(), ranges[n].size);
    region_uncommit(count * SLOT_COMMIT);
    atomic_fetch_sub_explicit(&all.cut, (int64_t)count, memory_order_relaxed);
}

/* Retires so many of the free slots of that region. */
static void free_retire(struct slot_cache *c, enum region r, uint32_t count)
{
    struct slot *batch[RETIRE_BATCH];
    size_t n = 0;

    for (; count && c->free[r]; count--) {
        batch[n++] = c->free[r];
        c->free[r] = c->free[r]->next;
        c->free_count[r]--;
        if (n == RETIRE_BATCH) {
            slots_retire(batch, n);
            n = 0;
        }
    }
    if (n)
        slots_retire(batch, n);
}

/* Scans for present pages that we do not know of, and empties them. They hold no image: its pages
 * are known since they were written. */
static void slot_scan(struct slot_cache *c, struct slot *s)
{
    uint64_t words[SLOT_WINDOW / 64];
    size_t hot_page = s->hot / VMEM_PAGE;
    size_t pages = (size_t)((s->hot + s->scan_size + VMEM_PAGE - 1) / VMEM_PAGE);
    uint32_t kept = 0;

    for (size_t w = 0; w < ARRAY_COUNT(s->present); w++)
        kept += (uint32_t)__builtin_popcountll(s->present[w]);
    for (size_t first = 0; first < pages; first += SLOT_WINDOW) {
        size_t count = pages - first < SLOT_WINDOW ? pages - first : SLOT_WINDOW;

        if (!vmem_present(s->low + first * VMEM_PAGE, count, words))
            memset(words, 0xff, sizeof(words)); /* then all pages are taken to be */
        for (size_t w = 0; w < (count + 63) / 64; w++) {
            uint64_t bits = words[w];

            if (first == 0)
                bits &= ~s->present[w];
            for (; bits; bits &= bits - 1) {
                size_t page = first + w * 64 + (size_t)__builtin_ctzll(bits);
                uint8_t *at = s->low + page * VMEM_PAGE;

                if (page >= pages)
                    break;
                if (page < hot_page) { /* leftovers of the stack need no zeroing */
                    if (page + STACK_PAGES < hot_page)
                        discard(c, at, VMEM_PAGE);
                } else if (page >= SLOT_WINDOW || kept >= RETAINED_PAGES) {
                    discard(c, at, VMEM_PAGE);
                } else {
                    memset(at, 0, VMEM_PAGE);
                    page_set(s, page);
                    kept++;
                }
            }
        }
    }
}

static uint32_t free_max(const struct slot_cache *c)
{
    return UNLIKELY(c->is_scarce) ? 0 : FREE_MAX;
}

static uint32_t pending_max(const struct slot_cache *c)
{
    return UNLIKELY(c->is_scarce) ? 1 : PENDING_MAX;
}

/* Slots beyond what a worker keeps: to the others, then back to the system. */
static void share(struct slot_cache *c, enum region r)
{
    uint64_t most = region_commit_limit() / SHARED_PART / SLOT_COMMIT;
    const uint32_t kept = c->is_scarce ? 0 : FREE_MAX - SHARE;

    mutex_lock(&shared.lock);
    for (uint32_t n = 0; n < SHARE && c->free_count[r] > kept && shared.count[r] < most; n++) {
        struct slot *s = c->free[r];

        c->free[r] = s->next;
        c->free_count[r]--;
        s->next = shared.free[r];
        shared.free[r] = s;
        shared.count[r]++;
    }
    mutex_unlock(&shared.lock);
    if (c->free_count[r] > kept)
        free_retire(c, r, c->free_count[r] - kept);
}

static void slot_free(struct slot_cache *c, struct slot *s)
{
    enum region r = s->region;

    s->next = c->free[r];
    c->free[r] = s;
    if (UNLIKELY(++c->free_count[r] > free_max(c)))
        share(c, r);
}

/* Proves that the pending slots are clean, or makes them so. */
static void pending_verify(struct slot_cache *c)
{
    uint64_t faults = vmem_fault_count();
    bool changed = faults != c->fault_count;
    struct slot *s = c->pending, *scanned = NULL;

    c->pending = NULL;
    c->pending_count = 0;
    c->fault_checks += changed;
    while (s) {
        struct slot *next = s->next;

        if (!s->is_foreign && s->faults == c->fault_checks) {
            slot_free(c, s);
        } else {
            slot_scan(c, s);
            s->next = scanned;
            scanned = s;
        }
        s = next;
    }
    discards_flush(c); /* before any of the scanned is used again */
    while (scanned) {
        struct slot *next = scanned->next;

        slot_free(c, scanned);
        scanned = next;
    }
    c->fault_count = changed ? vmem_fault_count() : faults;
}

void slot_cache_free(struct slot_cache *c)
{
    if (!c)
        return;
    pending_verify(c);
    for (enum region r = 0; r < REGION_COUNT; r++)
        free_retire(c, r, UINT32_MAX);
    mutex_lock(&all.lock);
    for (struct slot_cache **at = &all.first; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    all.live_of_gone += atomic_load_explicit(&c->live, memory_order_relaxed);
    mutex_unlock(&all.lock);
    mem_free(c);
}

/* Empties everything behind the header, whoever's it was. */
static void slot_wipe(struct slot *s)
{
    uint8_t *hot = slot_hot(s);
    size_t hot_page = s->hot / VMEM_PAGE;
    uint8_t *header_end = (uint8_t *)(s + 1);

    for (size_t page = hot_page; page < SLOT_WINDOW; page++)
        if (page_get(s, page)) {
            uint8_t *at = s->low + page * VMEM_PAGE;
            size_t skip = page == hot_page ? (size_t)(header_end - hot) : 0;

            memset(at + skip, 0, VMEM_PAGE - skip);
        }
    s->image = 0;
}

/* The bytes of page `page` (counted from hot) that belong to linear memory. */
static size_t page_skip(uint32_t page, uint32_t memory_offset)
{
    uint64_t start = (uint64_t)page * VMEM_PAGE;

    if (start >= memory_offset)
        return 0;
    return memory_offset - start < VMEM_PAGE ? (size_t)(memory_offset - start) : VMEM_PAGE;
}

/* Whether page `n` of the image may wait until it is touched. */
static bool may_wait(const struct slot *s, const struct slot_layout *l, uint32_t n)
{
    return region_is_lazy(s->region) && l->pages[n] * (uint64_t)VMEM_PAGE >= l->memory_offset &&
           !page_get(s, s->hot / VMEM_PAGE + l->pages[n]);
}

/* Cheaper than faults: the pages that are sure to be touched. Stack pages are not kept track of. */
static void prefill(struct slot *s, struct usual *u)
{
    uint32_t hot_page = s->hot / VMEM_PAGE;

    s->is_sample = usual_slot_made(u);
    if (s->is_sample)
        return;
    for (uint32_t page = 0; page < USUAL_PAGES; page++)
        if (usual_page(u, page) && !page_get(s, page) &&
            vmem_lazy_fill(s->low + (size_t)page * VMEM_PAGE, NULL) && page > hot_page)
            page_set(s, page);
}

/* The image's contents of page `n` from hot; NULL: zero, or not of the memory alone. */
static const uint8_t *image_page(const struct slot_layout *l, uint32_t n)
{
    uint32_t low = 0, high = l->page_count;

    if (n * (uint64_t)VMEM_PAGE < l->memory_offset)
        return NULL;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (l->pages[middle] < n)
            low = middle + 1;
        else
            high = middle;
    }
    return low < l->page_count && l->pages[low] == n ? l->contents + (size_t)low * VMEM_PAGE : NULL;
}

#define ROW_LEAST 8u /* zero pages touched one after the other before more come at once */

/* How many pages of zeroes are worth to fill from `page` on. The image ends before them, and they
 * lie within the instance's memory. */
static size_t row_length(struct slot *s, const struct slot_layout *l, size_t page)
{
    const struct instance *i = (const void *)(slot_hot(s) + l->instance);
    uint64_t end = (s->hot + l->memory_offset + i->memory_length) / VMEM_PAGE;
    uint64_t image_end = l->page_count ? s->hot / VMEM_PAGE + l->pages[l->page_count - 1] + 1 : 0;
    size_t count = 1;

    if (page != s->row_end)
        s->row = 0;
    else if (s->row < ROW_LEAST)
        s->row++;
    if (s->row == ROW_LEAST && page >= image_end && !s->moved && page < end)
        count = end - page < VMEM_LAZY_ROW ? (size_t)(end - page) : VMEM_LAZY_ROW;
    s->row_end = (uint32_t)(page + count);
    return count;
}

/* Signal context: a page of a lazy slot is touched for the first time, by the thread that runs the
 * instance or is about to make or end it. What is written here is in the hot page, which is
 * present. */
static bool page_missing(uint8_t *at, uint8_t *low, enum region r)
{
    uint8_t *hot = low + region_low(r);
    struct slot *s = slot_at_hot(hot);
    const struct slot_layout *l;
    const uint8_t *contents = NULL;
    size_t page = (size_t)(at - low) / VMEM_PAGE, more = 1;

    if (at == hot)
        return vmem_lazy_fill(at, NULL); /* the header itself */
    l = s->layout;
    if (l && s->image == l->image_id) {
        if (s->is_sample)
            usual_touch(l->usual, page);
        if (at > hot)
            contents = image_page(l, (uint32_t)((size_t)(at - hot) / VMEM_PAGE));
        if (at > hot && !contents)
            more = row_length(s, l, page);
    }
    /* The thread's fault counter does not see these faults: remember the page, or scan. */
    if (contents && page < SLOT_WINDOW)
        page_set(s, page);
    else
        s->is_foreign = true;
    return more > 1 ? vmem_lazy_fill_row(at, more) : vmem_lazy_fill(at, contents);
}

static bool are_lazy;

void slots_make_lazy(void)
{
    if (!are_lazy)
        are_lazy = region_lazy_start(page_missing);
}

bool slots_are_lazy(void)
{
    return are_lazy;
}

void slot_complete(struct slot *s)
{
    const struct slot_layout *l = s->layout;

    if (!region_is_lazy(s->region) || !l || s->image != l->image_id)
        return;
    for (uint32_t n = 0; n < l->page_count; n++)
        vmem_prepare(slot_hot(s) + (size_t)l->pages[n] * VMEM_PAGE, 1);
}

static void image_install(struct slot *s, const struct slot_layout *l)
{
    uint8_t *hot = slot_hot(s);

    for (uint32_t n = 0; n < l->page_count; n++) {
        size_t skip = page_skip(l->pages[n], l->memory_offset);

        if (may_wait(s, l, n))
            continue;
        memcpy(hot + (size_t)l->pages[n] * VMEM_PAGE + skip,
               l->contents + (size_t)n * VMEM_PAGE + skip, VMEM_PAGE - skip);
        page_set(s, s->hot / VMEM_PAGE + l->pages[n]);
    }
    s->image = l->image_id;
}

static struct slot *slot_cut(const struct slot_layout *l, uint64_t memory_size)
{
    uint32_t hot = region_low(l->region);
    uint64_t opened = hot + l->memory_offset + memory_size;
    struct slot *s;
    uint8_t *low;

    if (!region_commit(SLOT_COMMIT))
        return NULL;
    low = region_take(l->region, opened, NULL);
    if (!low) {
        region_uncommit(SLOT_COMMIT);
        return NULL;
    }
    for (uint32_t at = 0; region_is_lazy(l->region) && at < l->end; at += VMEM_PAGE) {
        if (!vmem_lazy_fill(low + hot + at, NULL)) {
            region_give(l->region, low, false, hot + l->end);
            region_uncommit(SLOT_COMMIT);
            return NULL;
        }
    }
    atomic_fetch_add_explicit(&all.cut, 1, memory_order_relaxed);
    s = slot_at_hot(low + hot);
    s->low = low;
    s->hot = hot;
    s->image = 0;
    s->region = (uint8_t)l->region;
    s->opened = opened;
    for (uint32_t at = 0; at < l->end; at += VMEM_PAGE)
        page_set(s, (hot + at) / VMEM_PAGE);
    if (region_is_lazy(l->region))
        prefill(s, l->usual);
    return s;
}

static struct slot *free_take(struct slot_cache *c, enum region r)
{
    struct slot *s = c->free[r];

    if (s) {
        c->free[r] = s->next;
        c->free_count[r]--;
    }
    return s;
}

/* A slot from the shared ones; takes some more for the next times. */
static struct slot *unshare(struct slot_cache *c, enum region r)
{
    if (!atomic_load_explicit(&shared.count[r], memory_order_relaxed))
        return NULL;
    mutex_lock(&shared.lock);
    for (uint32_t n = 0; n < (c->is_scarce ? 1 : SHARE / 4) && shared.free[r]; n++) {
        struct slot *s = shared.free[r];

        shared.free[r] = s->next;
        shared.count[r]--;
        s->next = c->free[r];
        c->free[r] = s;
        c->free_count[r]++;
    }
    mutex_unlock(&shared.lock);
    return free_take(c, r);
}

struct slot *slot_take(struct slot_cache *c, const struct slot_layout *l, uint64_t memory_size)
{
    enum region r = l->region;
    struct slot *s = c->free[r];

    if (LIKELY(s != NULL)) {
        c->free[r] = s->next;
        c->free_count[r]--;
    } else {
        s = unshare(c, r);
        if (!s)
            s = slot_cut(l, memory_size);
        if (!s && c->pending_count) { /* the last ones of ours */
            pending_verify(c);
            s = free_take(c, r);
        }
        if (!s)
            return NULL;
    }
    if (UNLIKELY(s->image != l->image_id)) {
        uint64_t wanted = s->hot + l->memory_offset + memory_size;

        if (wanted > s->opened) {
            if (!region_extend(r, s->low, s->opened, wanted)) {
                slot_free(c, s);
                return NULL;
            }
            s->opened = wanted;
        }
        if (s->image)
            s->is_sample = false; /* it was one of another program */
        slot_wipe(s);
        for (uint32_t at = 0; at < l->end; at += VMEM_PAGE)
            page_set(s, (s->hot + at) / VMEM_PAGE);
        image_install(s, l);
    }
    s->layout = l;
    s->faults = c->fault_checks;
    s->worker = c->worker;
    s->memory_offset = l->memory_offset;
    s->moved = NULL;
    s->is_foreign = false;
    s->row = 0;
    atomic_store_explicit(&c->live, atomic_load_explicit(&c->live, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    return s;
}

void slot_give(struct slot_cache *c, struct slot *s, const struct slot_layout *l,
               uint64_t memory_size)
{
    size_t hot_page = s->hot / VMEM_PAGE;
    uint8_t *hot = slot_hot(s);
    /* An image that reaches beyond the window is laid out anew each time. */
    bool keeps_image = s->image == l->image_id &&
                       (l->page_count == 0 || hot_page + l->pages[l->page_count - 1] < SLOT_WINDOW);
    uint32_t n = 0;

    for (size_t w = hot_page / 64; w < ARRAY_COUNT(s->present); w++) {
        uint64_t bits = s->present[w];

        if (w == hot_page / 64)
            bits &= ~0ull << (hot_page % 64);
        for (; bits; bits &= bits - 1) {
            uint32_t page = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(bits) - hot_page);
            size_t skip = page_skip(page, l->memory_offset);
            uint8_t *at = hot + (size_t)page * VMEM_PAGE;

            while (n < l->page_count && l->pages[n] < page)
                n++;
            if (keeps_image && n < l->page_count && l->pages[n] == page)
                memcpy(at + skip, l->contents + (size_t)n * VMEM_PAGE + skip, VMEM_PAGE - skip);
            else
                memset(at + skip, 0, VMEM_PAGE - skip);
        }
    }
    if (!keeps_image)
        s->image = 0;
    s->layout = NULL; /* the program may go first */
    s->scan_size = l->memory_offset + memory_size;
    if (s->worker != c->worker)
        s->is_foreign = true;
    s->next = c->pending;
    c->pending = s;
    atomic_store_explicit(&c->live, atomic_load_explicit(&c->live, memory_order_relaxed) - 1,
                          memory_order_relaxed);
    if (++c->pending_count >= pending_max(c))
        pending_verify(c);
}

void slot_abandon_memory(struct slot *s, uint64_t memory_size)
{
    uint8_t *hot = slot_hot(s);
    uint8_t *from = hot + s->memory_offset, *end = from + memory_size;
    uint8_t *page = (uint8_t *)(((uintptr_t)from + VMEM_PAGE - 1) & ~(uintptr_t)(VMEM_PAGE - 1));

    if (page > from)
        memset(from, 0, (size_t)((page < end ? page : end) - from));
    if (end > page) {
        size_t size = (size_t)(end - page + VMEM_PAGE - 1) & ~(size_t)(VMEM_PAGE - 1);

        if (!vmem_discard(&(struct vmem_range){page, size}, 1))
            memset(page, 0, size);
        for (uint8_t *at = page; at < page + size; at += VMEM_PAGE)
            page_clear(s, (size_t)(at - s->low) / VMEM_PAGE);
    }
    s->image = 0;
}
