/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "proc/registry.h"
#include "base/mem.h"
#include "base/printable.h"
#include "base/vec.h"
#include "proc/environment.h"

#define SLOTS_MIN   64
#define NAMED_COUNT 4096 /* counters that tell most nameless processes without a search */

struct registry_entry {
    struct registry_entry *next; /* in its chain */
    uint64_t hash;
    bool has_value;
    uint64_t node_id, process_id; /* valid if has_value */
    uint64_t owner;               /* who spawns it, 0: nobody has a claim */
    uint64_t serial;              /* of the claim */
    VEC(uint64_t) waiters;        /* processes that asked while it was claimed */
    size_t size;                  /* of the name */
    uint8_t name[];
};

void registry_init(struct registry *r, struct environment *e)
{
    *r = (struct registry){0};
    r->environment = e;
    mutex_init(&r->lock);
}

/* What a name is charged for as memory: itself, and its part of the table. */
static uint64_t entry_cost(size_t name_size)
{
    return sizeof(struct registry_entry) + name_size + 32;
}

static void entry_free(struct registry_entry *x)
{
    vec_deinit(&x->waiters);
    mem_uncharge(entry_cost(x->size));
    mem_free(x);
}

void registry_deinit(struct registry *r)
{
    for (size_t i = 0; i < r->slot_count; i++) {
        struct registry_entry *next;

        for (struct registry_entry *x = r->slots[i]; x; x = next) {
            next = x->next;
            entry_free(x);
        }
    }
    mem_free(r->slots);
    mem_free(r->named);
    mutex_deinit(&r->lock);
    *r = (struct registry){0};
}

/* FNV-1a with a final mix. */
static uint64_t hash_of(struct slice name)
{
    uint64_t h = 0xcbf29ce484222325ull;

    for (size_t i = 0; i < name.size; i++)
        h = (h ^ name.data[i]) * 0x100000001b3ull;
    h ^= h >> 32;
    return h * 0x9e3779b97f4a7c15ull;
}

static uint32_t *named_counter(struct registry *r, uint64_t process_id)
{
    return &r->named[(process_id * 0x9e3779b97f4a7c15ull >> 32) % NAMED_COUNT];
}

static struct registry_entry **slot_of(struct registry *r, uint64_t hash)
{
    return &r->slots[(size_t)(hash >> 20) & (r->slot_count - 1)];
}

static struct registry_entry *find(struct registry *r, struct slice name, uint64_t hash)
{
    struct registry_entry *x = r->slot_count ? *slot_of(r, hash) : NULL;

    while (x && (x->hash != hash || !slice_equal(slice_make(x->name, x->size), name)))
        x = x->next;
    return x;
}

/* Whether the entry names a process that exists, as far as this node can know. */
static bool is_present(const struct registry *r, const struct registry_entry *x)
{
    return x->has_value &&
           (x->node_id != r->environment->node_id || process_exists(r->environment, x->process_id));
}

static void set_value(struct registry *r, struct registry_entry *x, uint64_t node_id,
                      uint64_t process_id)
{
    if (x->has_value)
        --*named_counter(r, x->process_id);
    x->has_value = true;
    x->node_id = node_id;
    x->process_id = process_id;
    ++*named_counter(r, process_id);
}

static void clear_value(struct registry *r, struct registry_entry *x)
{
    if (x->has_value)
        --*named_counter(r, x->process_id);
    x->has_value = false;
}

static void delete_entry(struct registry *r, struct registry_entry *x)
{
    struct registry_entry **at = slot_of(r, x->hash);

    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    clear_value(r, x);
    r->count--;
    entry_free(x);
}

/* Deletes the entries of the dead. */
static void sweep(struct registry *r)
{
    for (size_t i = 0; i < r->slot_count; i++) {
        struct registry_entry *next;

        for (struct registry_entry *x = r->slots[i]; x; x = next) {
            next = x->next;
            if (!is_present(r, x) && x->owner == 0)
                delete_entry(r, x);
        }
    }
    r->sweep_at = r->count * 2 > SLOTS_MIN ? r->count * 2 : SLOTS_MIN;
}

static bool grow(struct registry *r)
{
    size_t old_count = r->slot_count, new_count = old_count ? old_count * 2 : SLOTS_MIN;
    struct registry_entry **old = r->slots;
    struct registry_entry **slots = mem_try_array(struct registry_entry *, new_count);

    if (!slots)
        return false;
    r->slots = slots;
    r->slot_count = new_count;
    for (size_t i = 0; i < old_count; i++) {
        struct registry_entry *next;

        for (struct registry_entry *x = old[i]; x; x = next) {
            struct registry_entry **at = slot_of(r, x->hash);

            next = x->next;
            x->next = *at;
            *at = x;
        }
    }
    mem_free(old);
    return true;
}

/* The entry of a name, made if need be. NULL: a limit, or no memory. */
static struct registry_entry *find_or_add(struct registry *r, struct slice name)
{
    uint64_t hash = hash_of(name);
    struct registry_entry *x = find(r, name, hash), **at;

    if (x)
        return x;
    if (!r->named && !(r->named = mem_try_array(uint32_t, NAMED_COUNT)))
        return NULL;
    if (r->count >= r->sweep_at)
        sweep(r);
    if (name.size > REGISTRY_NAME_SIZE_MAX || r->count >= REGISTRY_COUNT_MAX)
        return NULL;
    if (r->count >= r->slot_count && !grow(r))
        return NULL;
    if (!mem_charge(entry_cost(name.size)))
        return NULL;
    x = mem_try_alloc(1, sizeof(*x) + name.size);
    if (!x) {
        mem_uncharge(entry_cost(name.size));
        return NULL;
    }
    x->hash = hash;
    x->size = name.size;
    if (name.size)
        memcpy(x->name, name.data, name.size);
    at = slot_of(r, hash);
    x->next = *at;
    *at = x;
    r->count++;
    return x;
}

static void wake_waiters(struct registry *r, struct registry_entry *x)
{
    for (size_t i = 0; i < x->waiters.count; i++)
        process_wake(r->environment, x->waiters.items[i]);
    vec_deinit(&x->waiters);
}

bool registry_put(struct registry *r, struct slice name, uint64_t node_id, uint64_t process_id)
{
    struct registry_entry *x;

    actors_count(r->environment->actors, COUNT_NAMES_PUT);
    mutex_lock(&r->lock);
    x = find_or_add(r, name);
    if (x) {
        set_value(r, x, node_id, process_id);
        wake_waiters(r, x);
    }
    mutex_unlock(&r->lock);
    return x != NULL;
}

bool registry_get(struct registry *r, struct slice name, uint64_t *node_id, uint64_t *process_id)
{
    struct registry_entry *x;
    bool found;

    actors_count(r->environment->actors, COUNT_NAMES_GOT);
    mutex_lock(&r->lock);
    x = find(r, name, hash_of(name));
    found = x && is_present(r, x);
    if (found) {
        *node_id = x->node_id;
        *process_id = x->process_id;
    }
    mutex_unlock(&r->lock);
    return found;
}

void registry_remove(struct registry *r, struct slice name)
{
    struct registry_entry *x;

    actors_count(r->environment->actors, COUNT_NAMES_REMOVED);
    mutex_lock(&r->lock);
    x = find(r, name, hash_of(name));
    if (x && x->owner != 0)
        clear_value(r, x);
    else if (x)
        delete_entry(r, x);
    mutex_unlock(&r->lock);
}

size_t registry_count(struct registry *r)
{
    size_t count;

    mutex_lock(&r->lock);
    count = r->count;
    mutex_unlock(&r->lock);
    return count;
}

/* Whether the claim on the entry is held by a process that exists. */
static bool is_claimed(const struct registry *r, const struct registry_entry *x)
{
    return x->owner != 0 && process_exists(r->environment, x->owner);
}

enum registry_claim registry_claim(struct registry *r, struct slice name, uint64_t owner,
                                   uint64_t *ticket, uint64_t *node_id, uint64_t *process_id)
{
    enum registry_claim result = REGISTRY_FULL;
    struct registry_entry *x;

    mutex_lock(&r->lock);
    x = find_or_add(r, name);
    if (x && is_present(r, x)) {
        *node_id = x->node_id;
        *process_id = x->process_id;
        result = REGISTRY_FOUND;
    } else if (x && (!is_claimed(r, x) || x->owner == owner)) {
        clear_value(r, x);
        x->owner = owner;
        x->serial = ++r->claim_serial;
        result = REGISTRY_CLAIMED;
    } else if (x && (*ticket == x->serial || vec_push(&x->waiters, owner))) {
        *ticket = x->serial; /* on the list of this claim's waiters */
        result = REGISTRY_BUSY;
    }
    mutex_unlock(&r->lock);
    return result;
}

void registry_fulfil(struct registry *r, struct slice name, uint64_t owner, uint64_t node_id,
                     uint64_t process_id)
{
    struct registry_entry *x;

    mutex_lock(&r->lock);
    x = find(r, name, hash_of(name));
    if (x && x->owner == owner) {
        x->owner = 0;
        if (!x->has_value) /* else somebody has put another meanwhile, as if just after us */
            set_value(r, x, node_id, process_id);
        wake_waiters(r, x);
    }
    mutex_unlock(&r->lock);
}

void registry_release(struct registry *r, struct slice name, uint64_t owner)
{
    struct registry_entry *x;

    mutex_lock(&r->lock);
    x = find(r, name, hash_of(name));
    if (x && x->owner == owner) {
        x->owner = 0;
        wake_waiters(r, x);
        if (!x->has_value)
            delete_entry(r, x);
    }
    mutex_unlock(&r->lock);
}

/* What follows the third '/': the prefixes of the guest library say nothing to people. */
static struct slice short_name(const struct registry_entry *x)
{
    size_t slashes = 0;

    for (size_t i = 0; i < x->size; i++) {
        if (x->name[i] == '/' && ++slashes == 3)
            return slice_make(x->name + i + 1, x->size - i - 1);
    }
    return slice_make(x->name, x->size);
}

void registry_names(struct registry *r, uint64_t process_id, struct bytes *out)
{
    mutex_lock(&r->lock);
    for (size_t i = 0; r->named && *named_counter(r, process_id) > 0 && i < r->slot_count; i++) {
        for (struct registry_entry *x = r->slots[i]; x; x = x->next) {
            struct slice name = short_name(x);

            if (!x->has_value || x->process_id != process_id ||
                x->node_id != r->environment->node_id)
                continue;
            if (!bytes_printf(out, "%s\"", out->size ? " / " : "") ||
                !printable_append(out, name, PRINTABLE_ONE_LINE) || !bytes_append_u8(out, '"'))
                break; /* only words for people */
        }
    }
    mutex_unlock(&r->lock);
}

size_t registry_list(struct registry *r, size_t from, size_t count,
                     void (*each)(void *arg, uint64_t process_id, struct slice name), void *arg)
{
    size_t seen = 0, i;

    mutex_lock(&r->lock);
    for (i = from; i < r->slot_count && seen < count; i++, seen++) {
        for (struct registry_entry *x = r->slots[i]; x; x = x->next) {
            seen++;
            if (x->has_value && x->node_id == r->environment->node_id)
                each(arg, x->process_id, short_name(x));
        }
    }
    if (i >= r->slot_count)
        i = 0;
    mutex_unlock(&r->lock);
    return i;
}
