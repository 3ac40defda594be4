/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Named limits of everything that a module may choose. Those of the JavaScript API specification
 * ("Limits") are taken over where it has one, so that modules built for browsers fit. */
#ifndef WASM_LIMITS_H
#define WASM_LIMITS_H

#define MODULE_SIZE_MAX      (1024u << 20) /* bytes of a whole module */
#define MODULE_TYPES_MAX     1000000u
#define MODULE_FUNCTIONS_MAX 1000000u
#define MODULE_IMPORTS_MAX   1000000u
#define MODULE_EXPORTS_MAX   1000000u
#define MODULE_GLOBALS_MAX   1000000u
#define MODULE_SEGMENTS_MAX  100000u
#define MODULE_ELEMENTS_MAX  10000000u /* in all element segments together */
#define MODULE_CUSTOMS_MAX   1000000u  /* custom sections */
#define MODULE_TABLES_MAX    1000u
#define MODULE_MEMORIES_MAX  1u
#define TABLE_ELEMENTS_MAX   10000000u
#define MEMORY_PAGES_MAX     65536u
#define MEMORY_PAGE_SIZE     65536u
#define FUNCTION_SIZE_MAX    7654321u /* bytes of a body */
#define FUNCTION_LOCALS_MAX  50000u   /* parameters included */
#define FUNCTION_PARAMS_MAX  1000u
#define FUNCTION_RESULTS_MAX 1000u
#define OPERANDS_MAX         100000u /* values on the operand stack at once */
#define LABELS_MAX           100000u /* nested blocks */
#define BR_TABLE_TARGETS_MAX 65520u
#define CONSTANT_DEPTH_MAX   256u /* values at once in a constant expression */

/* Calls, blocks and branches name lists of up to a thousand types in two bytes, and each value of
 * such a list costs the validator and the compilers work. All bodies together may move this many
 * values by lists. In what tools make, an instruction of its own has put each value there. */
#define LIST_VALUES_FREE     4000000u
#define LIST_VALUES_PER_BYTE 16u     /* of all bodies, on top */
#define NAME_SIZE_MAX        100000u /* bytes of one import's or export's name */

#endif
