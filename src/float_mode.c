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

__attribute__((aligned(512))) struct float_mode float_mode_enter(void)
{
    const struct float_mode callers = {_mm_getcsr()};
    const unsigned own = 0x8000 | 0x0040 | 0x1f80; /* FTZ, DAZ and all masks */
    LOAD_MODE(own);
    /*
     * Xeons with AMX take 250 cycles to load MXCSR where no exception flag was raised since the last load, and a
     * stream of zeros raises none. This sum does: it is inexact.
     */
    float sum = 1.0f;
    __asm__ volatile("addss %1, %0" : "+x"(sum) : "x"(1e-30f));
    return callers;
}

__attribute__((aligned(256))) void float_mode_leave(struct float_mode callers)
{
    LOAD_MODE(callers.control);
}

#endif
