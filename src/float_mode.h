/* SPDX-License-Identifier: MIT */
#ifndef FLOAT_MODE_H
#define FLOAT_MODE_H

/*
 * The library's own floating-point mode. Numbers below the smallest normal one, which make
 * processors many times slower, are taken as 0 and become 0; rounding is to nearest; nothing traps.
 * A public function that does arithmetic enters it, and leaves it with the caller's mode and flags
 * as they were, but that "inexact" may be raised:
 *
 *     const struct float_mode callers = float_mode_enter();
 *     ...
 *     float_mode_leave(callers);
 *
 * Compilers know nothing of modes and move arithmetic out from between the two. They cannot move
 * what kernels do, which are called by pointer; other arithmetic belongs in functions that are
 * APART.
 *
 * Loading a mode waits for all arithmetic before it. So short passes, which would overlap with the
 * ones before, may be tried in the caller's mode, unless it rounds otherwise or traps. A pass that
 * raises no flag but "inexact" has met no denormal, and nothing tells it from one in the library's
 * mode; any other has to be done again, and finds the caller's flags as they were:
 *
 *     struct float_mode callers;
 *     done = false;
 *     if (float_mode_try(&callers)) {
 *         ...
 *         done = float_mode_sufficed(callers);
 *     }
 */

#include <stdbool.h>

#define APART __attribute__((noinline))

#if defined(__x86_64__)

#include <xmmintrin.h>

struct float_mode {
    unsigned control; /* MXCSR, flags included */
};

struct float_mode float_mode_enter(void);
void float_mode_leave(struct float_mode callers);

#define MXCSR_DENORMAL 0x0012 /* flags: one was met, or made */
#define MXCSR_OTHERS 0x000d   /* all other flags but that of */
#define MXCSR_INEXACT 0x0020
#define MXCSR_MODE 0xffc0
#define MXCSR_PLAIN 0x1f80 /* a mode that rounds to nearest and traps nothing */
#define MXCSR_FLUSH 0x8040 /* and takes and makes 0 of denormals */

static inline bool float_mode_try(struct float_mode *callers)
{
    callers->control = _mm_getcsr();
    return (callers->control & MXCSR_MODE) == (MXCSR_PLAIN | MXCSR_FLUSH) ||
           (callers->control & (MXCSR_MODE | MXCSR_DENORMAL)) == MXCSR_PLAIN;
}

static inline bool float_mode_sufficed(struct float_mode callers)
{
    const unsigned raised = _mm_getcsr() & ~callers.control;
    if ((raised & (MXCSR_DENORMAL | MXCSR_OTHERS)) == 0)
        return true;
    float_mode_leave(callers);
    return false;
}

#elif defined(__aarch64__)

#include <stdint.h>

struct float_mode {
    uint64_t control, flags; /* FPCR, FPSR */
};

static inline struct float_mode float_mode_enter(void)
{
    struct float_mode callers;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(callers.control), "=r"(callers.flags));
    const uint64_t flush = 1 << 24; /* FZ alone */
    __asm__ volatile("msr fpcr, %0" ::"r"(flush) : "memory");
    return callers;
}

static inline void float_mode_leave(struct float_mode callers)
{
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" ::"r"(callers.control), "r"(callers.flags)
                     : "memory");
}

#else

#include <fenv.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

struct float_mode {
    fenv_t environment;
};

static inline struct float_mode float_mode_enter(void)
{
    struct float_mode callers;
    feholdexcept(&callers.environment);
    fesetround(FE_TONEAREST);
#if defined(__SSE__)
    _mm_setcsr(0x8000 | 0x0040 | 0x1f80);
#endif
    return callers;
}

static inline void float_mode_leave(struct float_mode callers)
{
    fesetenv(&callers.environment);
}

#endif

#if !defined(__x86_64__)

/* Not elsewhere: on aarch64 denormals raise no flag. */
static inline bool float_mode_try(struct float_mode *callers)
{
    (void)callers;
    return false;
}

static inline bool float_mode_sufficed(struct float_mode callers)
{
    (void)callers;
    return false;
}

#endif

#endif
