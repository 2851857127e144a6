/* SPDX-License-Identifier: MIT */
#include "float_mode.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <stdatomic.h>

/*
 * Xeons with AMX take 50 ns to read MXCSR where nothing was inexact since it was loaded. So it is
 * loaded, and callers get theirs back, with this flag, which any arithmetic raises.
 */
#define OWN (MXCSR_PLAIN | MXCSR_FLUSH | MXCSR_INEXACT)

/*
 * Zen 5 foresees what is loaded into MXCSR from the branches taken before. Where these are the
 * caller's, one caller in four makes entering and leaving look alike, and both take a hundred
 * cycles in every call. So there the last ones are jumps of these two functions, whose distance
 * never changes; on other processors they would take a twentieth of a short call.
 */
#define LOAD_MODE(control)                                                                         \
    __asm__ volatile("jmp 1f\n\t.p2align 5\n1:\n\t"                                                \
                     ".rept 8\n\tjmp 2f\n\t.skip 6, 0x90\n2:\n\t.endr\n\t"                         \
                     "ldmxcsr %0"                                                                  \
                     :                                                                             \
                     : "m"(control)                                                                \
                     : "memory")

enum foresight { UNKNOWN, NO_FORESIGHT, FORESIGHT };

static atomic_int foresight;

static inline int has_no_foresight(void)
{
    return atomic_load_explicit(&foresight, memory_order_relaxed) == NO_FORESIGHT;
}

/* Zen 5 is the first of its family. */
static void find_foresight(void)
{
    unsigned signature = 0, unused;
    __get_cpuid(1, &signature, &unused, &unused, &unused);
    const unsigned family = (signature >> 8 & 0xf) + (signature >> 20 & 0xff);
    atomic_store_explicit(&foresight, family == 0x1a ? FORESIGHT : NO_FORESIGHT,
                          memory_order_relaxed);
}

static APART __attribute__((aligned(512))) struct float_mode enter_foreseen(void)
{
    const struct float_mode callers = {_mm_getcsr() | MXCSR_INEXACT};
    const unsigned own = OWN;
    if (atomic_load_explicit(&foresight, memory_order_relaxed) == UNKNOWN)
        find_foresight();
    LOAD_MODE(own);
    return callers;
}

static APART __attribute__((aligned(256))) void leave_foreseen(struct float_mode callers)
{
    LOAD_MODE(callers.control);
}

struct float_mode float_mode_enter(void)
{
    if (!has_no_foresight())
        return enter_foreseen();
    const struct float_mode callers = {_mm_getcsr() | MXCSR_INEXACT};
    _mm_setcsr(OWN);
    return callers;
}

void float_mode_leave(struct float_mode callers)
{
    if (has_no_foresight())
        _mm_setcsr(callers.control);
    else
        leave_foreseen(callers);
}

#endif
