/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

struct candidate {
    const struct kernels *kernels;
    int usable;
};

static const struct kernels *choose(void)
{
    /* Best first; portable runs everywhere. */
    const struct candidate candidates[] = {
#ifdef MLSTM_HAVE_AVX512
        {&kernels_avx512, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                              __builtin_cpu_supports("avx512bw") &&
                              __builtin_cpu_supports("avx512vl")},
#endif
#ifdef MLSTM_HAVE_AVX2
        {&kernels_avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
#endif
#ifdef MLSTM_HAVE_NEON
        {&kernels_neon, 1},
#endif
        {&kernels_portable, 1},
    };
    const size_t count = sizeof candidates / sizeof candidates[0];
    const char *wanted = getenv("MLSTM_ISA");
    for (size_t i = 0; wanted && i < count; i++)
        if (candidates[i].usable && strcmp(candidates[i].kernels->name, wanted) == 0)
            return candidates[i].kernels;
    for (size_t i = 0; i < count; i++)
        if (candidates[i].usable)
            return candidates[i].kernels;
    return &kernels_portable;
}

const struct kernels *kernels_get(void)
{
    static _Atomic(const struct kernels *) chosen;
    const struct kernels *kernels = atomic_load_explicit(&chosen, memory_order_acquire);
    if (!kernels) {
        kernels = choose();
        atomic_store_explicit(&chosen, kernels, memory_order_release);
    }
    return kernels;
}
