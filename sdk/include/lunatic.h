/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Processes for programs in C and C++ on the lunatic runtime. Compile with `lunatic cc`.
 *
 *     static void square(const int *number, int *result)
 *     {
 *         *result = *number * *number;
 *     }
 *
 *     int main(void)
 *     {
 *         int number = 7, result;
 *         lun_task task = LUN_START(square, &number, &result);
 *
 *         if (lun_wait(&task, LUN_FOREVER) == 0)
 *             printf("%d\n", result);
 *         return 0;
 *     }
 *
 * `main` runs in the main process; the program ends with it. Every process is an instance of the
 * program with a memory of its own: a child starts with all variables as the source initialises
 * them, not as its parent left them, and a pointer means nothing in another process. What a child
 * is to know goes into its argument or into messages, as bytes, which are copied.
 *
 * Functions that can fail return 0, or a negated LUN_E number. Times are in milliseconds. */
#ifndef LUNATIC_H
#define LUNATIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Names a process; ids are never reused. 0 names none. */
typedef uint64_t lun_process;

#define LUN_FOREVER 0xffffffffffffffffull /* a timeout that never comes */

enum {
    LUN_ETIMEOUT = 1, /* the time is over */
    LUN_EDIED = 2,    /* the process ended without a result */
    LUN_ESPAWN = 3,   /* no process could be made; lun_error_text() says why */
    LUN_ENONE = 4,    /* no such name */
    LUN_ESIZE = 5,    /* the message has fewer or more bytes than asked for */
    LUN_EIO = 6,      /* the network, the system or a database refused; lun_error_text() says why */
    LUN_EEND = 7,     /* the stream ended before everything was read */
};

/* The words of the last LUN_ESPAWN or LUN_EIO of this process; "" if there was none. Valid until
 * the next. */
const char *lun_error_text(void);

/* ---- Functions that run in a process of their own ------------------------------------------ */

/* Calls fn(argument, result) in a new process linked to this one, and returns at once; `lun_wait`
 * waits for the result. The function has the type
 *
 *     void fn(const T *argument, R *result)
 *
 * and the two pointers passed must be a `T *` and an `R *`, or the program does not compile; nor
 * does it if one of them is an array or T is a pointer. *argument is copied before LUN_START
 * returns. *result, zero when the function starts, is copied to `result` by lun_wait, so it must
 * still be there then.
 *
 * A failed start is reported by lun_wait. As with every link, a child that fails takes this process
 * with it, unless lun_die_with_links(false) was called: then lun_wait reports -LUN_EDIED. */
#define LUN_START(fn, argument, result)                                                            \
    lun_start_(LUN_FN2_(fn, argument, result), (argument), sizeof *(argument), (result),           \
               sizeof *(result))

/* A started function; filled by LUN_START. `process` is 0 if it could not be started. */
typedef struct lun_task {
    lun_process process;
    int64_t tag;  /* of the message that bears the result */
    void *result; /* where lun_wait puts it */
    size_t size;  /* its bytes */
} lun_task;

/* Waits at most `timeout_ms` for the task's end and stores its result. Messages of other origin
 * stay in the mailbox. Call it once for each task; again after -LUN_ETIMEOUT. -LUN_ETIMEOUT: not
 * yet; -LUN_EDIED: it failed, was killed, or called exit(); -LUN_ESPAWN: it never ran. */
int lun_wait(lun_task *task, uint64_t timeout_ms);

/* Runs fn(argument) in a new process, unlinked or linked, and returns its id, or 0 if it cannot be
 * made. The function has the type `void fn(const T *argument)`; checked as in LUN_START. `tag` is
 * what a message about the child's failure bears (see lun_link); 0: some tag, if it does not
 * matter. */
#define LUN_SPAWN(fn, argument)                                                                    \
    lun_spawn_(LUN_ONE_, LUN_FN1_(fn, argument), (argument), sizeof *(argument), false, 0)
#define LUN_SPAWN_LINK(fn, tag, argument)                                                          \
    lun_spawn_(LUN_ONE_, LUN_FN1_(fn, argument), (argument), sizeof *(argument), true, (tag))

/* The same with `size` bytes at `data`, which may be none: for strings, arrays, or no argument. The
 * function sees a copy, aligned for any type, that lives as long as it runs. */
typedef void lun_entry(const void *data, size_t size);
lun_process lun_spawn(lun_entry *fn, const void *data, size_t size);
lun_process lun_spawn_link(lun_entry *fn, int64_t tag, const void *data, size_t size);

/* ---- This process ---------------------------------------------------------------------------- */

lun_process lun_self(void);

/* Waits. Other processes run meanwhile; 0 lets them run once. */
void lun_sleep(uint64_t time_ms);

/* Ends this process; what it wrote to standard output is flushed. 0 is a normal end, anything else
 * a failure that its links share; of the main process it is the program's exit status. */
_Noreturn void lun_exit(int status);

/* true (at first): a linked process that fails takes this one with it. false: this process gets a
 * message of the kind LUN_LINK_DIED instead. */
void lun_die_with_links(bool die);

/* A tag that nothing else uses, for one request and its reply. Tags that you choose by hand stay
 * below 1 << 62. */
int64_t lun_new_tag(void);

/* ---- Other processes; all of these succeed if `process` has ended ---------------------------- */

/* Links this process and `process`, both ways: if one fails, the other dies, or is told by a
 * message bearing `tag` (0: none). A normal end is not reported. Linking to a process that has
 * ended counts as its failure. A second link replaces the tag. */
void lun_link(lun_process process, int64_t tag);
void lun_unlink(lun_process process);

/* Sends this process a message of the kind LUN_PROCESS_DIED when `process` ends, however it ends.
 */
void lun_monitor(lun_process process);
void lun_unmonitor(lun_process process);

/* Ends `process` now; its links see a failure. */
void lun_kill(lun_process process);

bool lun_exists(lun_process process);

/* ---- Messages ----------------------------------------------------------------------------------
 */

/* Sends `size` bytes at `data` to `process`, tagged `tag` (0: untagged). The bytes are copied. A
 * send to a process that has ended does nothing. Never waits. */
void lun_send(lun_process process, int64_t tag, const void *data, size_t size);

/* The same with the object that `value` points to. */
#define LUN_SEND(process, tag, value) lun_send((process), (tag), LUN_VALUE_(value), sizeof *(value))

/* Sends the message after `delay_ms`, also when this process has ended by then. Returns a number
 * for lun_cancel, which gives true if it prevented the message. */
uint64_t lun_send_after(lun_process process, int64_t tag, const void *data, size_t size,
                        uint64_t delay_ms);
bool lun_cancel(uint64_t timer);

enum lun_kind {
    LUN_DATA = 0,         /* sent by lun_send */
    LUN_LINK_DIED = 1,    /* a linked process failed; `tag` is the link's */
    LUN_PROCESS_DIED = 2, /* a monitored process ended; `process` is its id */
};

typedef struct lun_message {
    enum lun_kind kind;
    int64_t tag;         /* 0: none */
    lun_process process; /* LUN_PROCESS_DIED only, else 0 */
    size_t size;         /* bytes; LUN_DATA only, else 0 */
} lun_message;

/* Takes the oldest message, waiting for one at most `timeout_ms` (0: take what is there).
 * -LUN_ETIMEOUT: there was none. */
int lun_receive(lun_message *message, uint64_t timeout_ms);

/* The same for the oldest message tagged `tag`, or one of `tags`; all others stay, in order. */
int lun_receive_tag(lun_message *message, int64_t tag, uint64_t timeout_ms);
int lun_receive_tags(lun_message *message, const int64_t *tags, size_t count, uint64_t timeout_ms);

/* Copies the next bytes of the message received last, at most `size`, and returns how many; 0 at
 * the end. Valid until this process sends, spawns, waits for a task, or receives again. */
size_t lun_read(void *data, size_t size);

/* Reads the object that `value` points to, which must be all that is left of the message. 0, or
 * -LUN_ESIZE, and then *value is unspecified. */
#define LUN_READ(value) lun_read_exactly((value), sizeof *LUN_VALUE_(value))
int lun_read_exactly(void *data, size_t size);

/* ---- Names -------------------------------------------------------------------------------------
 */

/* Gives `process` a name that all processes of the program can look up; replaces an older one. */
void lun_register(const char *name, lun_process process);
void lun_unregister(const char *name);

/* The process of that name that is alive, in *process. -LUN_ENONE: there is none. */
int lun_lookup(const char *name, lun_process *process);

/* ---- What the macros above are made of; not for use --------------------------------------------
 */

enum lun_shape_ { LUN_BYTES_ = 0, LUN_ONE_ = 1, LUN_TWO_ = 2 };

typedef void lun_fn_(void);
lun_process lun_spawn_(enum lun_shape_ shape, lun_fn_ *fn, const void *data, size_t size,
                       bool linked, int64_t tag);
lun_task lun_start_(lun_fn_ *fn, const void *data, size_t size, void *result, size_t result_size);

#ifdef __cplusplus
}

#if __cplusplus >= 201103L
template <class T> inline lun_fn_ *lun_check_(void (*fn)(const T *), const T *)
{
    static_assert(!__is_pointer(T), "a pointer means nothing in another process");
    return reinterpret_cast<lun_fn_ *>(fn);
}
template <class T, class R> inline lun_fn_ *lun_check_(void (*fn)(const T *, R *), const T *, R *)
{
    static_assert(!__is_pointer(T) && !__is_pointer(R),
                  "a pointer means nothing in another process");
    return reinterpret_cast<lun_fn_ *>(fn);
}
#endif
#define LUN_FN1_(fn, argument)         lun_check_((fn), (argument))
#define LUN_FN2_(fn, argument, result) lun_check_((fn), (argument), (result))
#define LUN_VALUE_(value)              (value)

#else

#define LUN_SAME_(a, b) __builtin_types_compatible_p(a, b)
#define LUN_IS_POINTER_(value)                                                                     \
    LUN_SAME_(__typeof__(value), __typeof__(&*(value))) /* and not an array */
#define LUN_CHECK_(condition, words)                                                               \
    (0 * sizeof(struct {                                                                           \
         _Static_assert(condition, words);                                                         \
         int lun_;                                                                                 \
     }))
#define LUN_CHECK_VALUE_(value)                                                                    \
    (LUN_CHECK_(LUN_IS_POINTER_(value),                                                            \
                "pass the address of one object; an array has lun_spawn") +                        \
     LUN_CHECK_(__builtin_classify_type(*(value)) != 5,                                            \
                "a pointer means nothing in another process"))
#define LUN_VALUE_(value) (LUN_CHECK_VALUE_(value) + (value))
#define LUN_FN1_(fn, argument)                                                                     \
    ((lun_fn_ *)((uintptr_t)(fn) + LUN_CHECK_VALUE_(argument) +                                    \
                 LUN_CHECK_(                                                                       \
                     LUN_SAME_(__typeof__(&*(fn)), void (*)(const __typeof__(*(argument)) *)),     \
                     "the function must be: void fn(const T *), the argument a T *")))
#define LUN_FN2_(fn, argument, result)                                                             \
    ((lun_fn_ *)((uintptr_t)(fn) + LUN_CHECK_VALUE_(argument) + LUN_CHECK_VALUE_(result) +         \
                 LUN_CHECK_(                                                                       \
                     LUN_SAME_(__typeof__(&*(fn)), void (*)(const __typeof__(*(argument)) *,       \
                                                            __typeof__(*(result)) *)),             \
                     "the function must be: void fn(const T *, R *), the pointers T * and R *")))
#endif

#endif
