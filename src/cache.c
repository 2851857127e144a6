/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <unistd.h>

size_t cache_bytes(int32_t level)
{
#ifdef _SC_LEVEL1_DCACHE_SIZE
    const long bytes = sysconf(level == 1 ? _SC_LEVEL1_DCACHE_SIZE : _SC_LEVEL2_CACHE_SIZE);
    if (bytes > 0)
        return (size_t)bytes;
#endif
    return level == 1 ? 32768 : 262144;
}
