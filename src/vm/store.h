/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Instances that are linked to each other by exports and imports of every kind (spec 4.2.3): what
 * the official suite and embedders need. Everything lives until store_free. One thread. */
#ifndef VM_STORE_H
#define VM_STORE_H

#include "base/error.h"
#include "vm/function.h"
#include "vm/instance.h"
#include "vm/trap.h"
#include "wasm/module.h"

struct store;
struct code;

/* An external value (spec 4.2.12). */
struct store_extern {
    enum externkind kind;
    const struct functype *function_type; /* FUNC */
    const struct function *function;      /* FUNC; NULL if `target` is a C function */
    const void *target;                   /* FUNC of the host: as in struct host_import */
    struct table *table;
    struct memory *memory;
    uint64_t *global; /* the cell */
    uint8_t global_type;
    bool is_mutable;
};

struct store *store_new(void);
void store_free(struct store *s);

/* Makes `module_name`.`name` available to imports. Names and types are copied. A name defined twice
 * is replaced. Host functions: `target` takes (void *guest, parameters as C types), see program.h.
 */
void store_define(struct store *s, const char *module_name, const char *name,
                  const struct store_extern *value);
void store_define_function(struct store *s, const char *module_name, const char *name,
                           const struct functype *type, const void *target);
void store_define_global(struct store *s, const char *module_name, const char *name, uint8_t type,
                         bool is_mutable, uint64_t bits);
void store_define_table(struct store *s, const char *module_name, const char *name, uint8_t type,
                        uint32_t min, uint32_t max);
void store_define_memory(struct store *s, const char *module_name, const char *name, uint32_t min,
                         uint32_t max);

/* Links `m` with what is defined, instantiates it and runs its start function. Takes `code`
 * (published by it if it is not yet); `m` must live until store_free. On failure: ERR_UNLINKABLE
 * ("unknown import ..." or "incompatible import type
 * ..."), ERR_TRAP (a segment or the start function trapped; `*trap` says how; what it had written
 * to shared tables and memories stays). */
bool store_instantiate(struct store *s, const struct module *m, struct code *code,
                       struct instance **out, enum trap *trap, struct error *err) MUST_USE;

/* Makes all exports of `i` available to imports under this module name ("register"). */
void store_register(struct store *s, const char *module_name, struct instance *i);

/* The export of that name. False: there is none. */
bool store_export(struct store *s, struct instance *i, struct slice name, struct store_extern *out);

/* Calls an exported function and waits for it: runs until it has returned or trapped. `results` has
 * room for all results of its type. TRAP_NONE: it returned. Yields and ticks are run on; metered
 * code gets fuel without end unless store_set_fuel says otherwise; a park or exit ends with
 * TRAP_HOST. */
enum trap store_invoke(struct store *s, struct instance *i, const struct store_extern *function,
                       const uint64_t *args, uint64_t *results);

/* Fuel of each store_invoke of metered code from now on; UINT64_MAX (the default): no end. */
void store_set_fuel(struct store *s, uint64_t fuel);

/* Text of the last trap's backtrace, a line per frame; valid until the next call. */
const char *store_backtrace(struct store *s);

#endif
