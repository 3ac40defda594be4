/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The import modules of guests: MODULE(token, name, what its functions are for).
 *
 * ABI_MODULE_<token> is the name as a string, for `import_module` attributes. */
#ifndef ABI_MODULES_H
#define ABI_MODULES_H

#define ABI_MODULE_message     "lunatic::message"
#define ABI_MODULE_process     "lunatic::process"
#define ABI_MODULE_error       "lunatic::error"
#define ABI_MODULE_registry    "lunatic::registry"
#define ABI_MODULE_timer       "lunatic::timer"
#define ABI_MODULE_trap        "lunatic::trap"
#define ABI_MODULE_version     "lunatic::version"
#define ABI_MODULE_metrics     "lunatic::metrics"
#define ABI_MODULE_wasi_config "lunatic::wasi"
#define ABI_MODULE_distributed "lunatic::distributed"
#define ABI_MODULE_networking  "lunatic::networking"
#define ABI_MODULE_sqlite      "lunatic::sqlite"
#define ABI_MODULE_wasi        "wasi_snapshot_preview1"

#define ABI_MODULES(MODULE)                                                                        \
    MODULE(message, ABI_MODULE_message, "messages: write, send, receive, read")                    \
    MODULE(process, ABI_MODULE_process, "processes: modules, configurations, spawn, links, life")  \
    MODULE(error, ABI_MODULE_error, "the words of failures")                                       \
    MODULE(registry, ABI_MODULE_registry, "processes by name")                                     \
    MODULE(timer, ABI_MODULE_timer, "messages that are sent later")                                \
    MODULE(trap, ABI_MODULE_trap, "calls that survive a trap")                                     \
    MODULE(version, ABI_MODULE_version, "the version of this interface")                           \
    MODULE(metrics, ABI_MODULE_metrics, "numbers for dashboards")                                  \
    MODULE(wasi_config, ABI_MODULE_wasi_config, "what WASI shows to children")                     \
    MODULE(distributed, ABI_MODULE_distributed, "other nodes")                                     \
    MODULE(networking, ABI_MODULE_networking, "DNS, TCP, TLS and UDP")                             \
    MODULE(sqlite, ABI_MODULE_sqlite, "SQLite databases")                                          \
    MODULE(wasi, ABI_MODULE_wasi, "WASI preview 1")

#endif
