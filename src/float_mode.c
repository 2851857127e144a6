/* SPDX-License-Identifier: MIT */
#include "float_mode.h"

#if defined(__x86_64__)

#include <xmmintrin.h>

/*
 * Zen 5 foresees what is loaded into MXCSR from the branches taken before. Where these are the
 * caller's, one caller in four makes entering and leaving look alike, and both take a hundred cycles in
 * every call. So the last ones are jumps of these two functions, whose distance never changes.
 */
#define LOAD_MODE(control)                                                                         \
    __asm__ volatile("jmp 1f\n\t.p2align 5\n1:\n\t"                                                \
                     ".rept 8\n\tjmp 2f\n\t.skip 6, 0x90\n2:\n\t.endr\n\t"                         \
                     "ldmxcsr %0"                                                                  \
                     :                                                                             \
                     : "m"(control)                                                                \
                     : "memory")

/*
 * Xeons with AMX take 50 ns to read MXCSR where nothing was inexact since it was loaded. So callers get theirs
 * back with this flag, which any arithmetic raises.
 */
#define INEXACT 0x0020

__attribute__((aligned(512))) struct float_mode float_mode_enter(void)
{
    const struct float_mode callers = {_mm_getcsr() | INEXACT};
    const unsigned own = 0x8000 | 0x0040 | 0x1f80 | INEXACT; /* FTZ, DAZ and all masks */
    LOAD_MODE(own);
    return callers;
}

__attribute__((aligned(256))) void float_mode_leave(struct float_mode callers)
{
    LOAD_MODE(callers.control);
}

#endif
