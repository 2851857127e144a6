/* SPDX-License-Identifier: MIT */
#ifndef CACHE_H
#define CACHE_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a core's first or second level; what most have at least where nobody tells. */
size_t cache_bytes(int32_t level);

#endif
