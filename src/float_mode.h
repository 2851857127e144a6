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
 * Loading a mode waits for all arithmetic before it, so the processor cannot begin a call while the
 * last one still computes. Short passes are first tried in the caller's mode, unless that rounds
 * otherwise or traps. Only denormals would then tell it from the library's, and flags say whether
 * one was read or rounded to. If so, all has to be done again in the library's mode:
 *
 *     struct float_mode callers;
 *     bool done = false;
 *     if (float_mode_try(&callers)) {
 *         ...
 *         float_mode_read(results, count);
 *         done = float_mode_keep(callers);
 *     }
 */

#include <stdbool.h>
#include <stddef.h>

#define APART __attribute__((noinline))

/* Of x86. */
#define MXCSR_DENORMAL 0x0012 /* the flags of one that was read, and of one that was rounded to */
#define MXCSR_INEXACT 0x0020
#define MXCSR_FLAGS 0x001f /* all but "inexact" */
#define MXCSR_MODE 0xffc0
#define MXCSR_PLAIN 0x1f80 /* the mode that rounds to nearest and traps nothing */
#define MXCSR_FLUSH 0x8040 /* with these, a denormal is read as 0, and 0 is made of it */

#if defined(__x86_64__)

#include <xmmintrin.h>

struct float_mode {
    unsigned control; /* MXCSR, flags included */
};

struct float_mode float_mode_enter(void);
void float_mode_leave(struct float_mode callers);

/* Stores the caller's mode; whether arithmetic may be tried in it. */
static inline bool float_mode_try(struct float_mode *callers)
{
    callers->control = _mm_getcsr() | MXCSR_INEXACT;
    return (callers->control & MXCSR_MODE) == (MXCSR_PLAIN | MXCSR_FLUSH) ||
           (callers->control & (MXCSR_MODE | MXCSR_DENORMAL)) == MXCSR_PLAIN;
}

/* For what the arithmetic has made and not read: a denormal that is exact raises no flag before. */
static inline void float_mode_read(const float *numbers, size_t count)
{
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        __m128 four = _mm_loadu_ps(numbers + i);
        __asm__ volatile("cmpeqps %0, %0" : "+x"(four));
    }
    for (; i < count; i++)
        __asm__ volatile("ucomiss %0, %0" ::"x"(numbers[i]) : "cc");
}

/* Puts the caller's flags back; whether nothing that was tried met a denormal. */
static inline bool float_mode_keep(struct float_mode callers)
{
    const unsigned raised = _mm_getcsr() & ~callers.control & MXCSR_FLAGS;
    if (raised)
        float_mode_leave(callers);
    return !(raised & MXCSR_DENORMAL) || (callers.control & MXCSR_FLUSH);
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
    _mm_setcsr(MXCSR_PLAIN | MXCSR_FLUSH);
#endif
    return callers;
}

static inline void float_mode_leave(struct float_mode callers)
{
    fesetenv(&callers.environment);
}

#endif

#if !defined(__x86_64__)

/* Not elsewhere: on aarch64 denormals raise no flag, and nobody has measured on others. */
static inline bool float_mode_try(struct float_mode *callers)
{
    (void)callers;
    return false;
}

static inline void float_mode_read(const float *numbers, size_t count)
{
    (void)numbers, (void)count;
}

static inline bool float_mode_keep(struct float_mode callers)
{
    (void)callers;
    return false;
}

#endif

#endif
