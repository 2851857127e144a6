/* SPDX-License-Identifier: MIT */
#ifndef ALLOC_H
#define ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include <mlstm/allocator.h>

/* malloc and free; large blocks by aligned_alloc, with huge pages where the system has them. */
extern const mlstm_allocator default_allocator;

/* Zeroed memory aligned to a cache line; NULL where there is none. */
void *allocate(const mlstm_allocator *allocator, size_t size);

/* Gives it back; NULL is left alone. */
void release(const mlstm_allocator *allocator, void *pointer);

/* Floats of a cache line. */
#define LINE_FLOATS 16

/* Lays out arrays of floats in one block, each on cache lines of its own. */
struct arena {
    size_t count; /* floats so far */
    bool overflow;
};

/* The place of an array of a*b*c floats. */
size_t arena_take(struct arena *arena, size_t a, size_t b, size_t c);

#endif
