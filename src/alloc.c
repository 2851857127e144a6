/* SPDX-License-Identifier: MIT */
#if defined(__linux__)
#define _DEFAULT_SOURCE
#include <sys/mman.h>
#endif

#include "alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LINE (LINE_FLOATS * sizeof(float))

#if defined(MADV_HUGEPAGE)
#define HUGE_PAGE ((size_t)2 << 20)
#endif

/*
 * Large weights are read from end to end at every step: in huge pages that needs few translations,
 * and what fits in a cache has a place there. A block gets as many as it fills by half.
 */
static void *default_allocate(void *context, size_t size)
{
    (void)context;
#if defined(HUGE_PAGE)
    const size_t whole = (size + HUGE_PAGE / 2) / HUGE_PAGE * HUGE_PAGE;
    if (whole > 0 && size <= PTRDIFF_MAX - HUGE_PAGE) {
        void *large = aligned_alloc(HUGE_PAGE, (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
        if (large) {
            (void)madvise(large, whole, MADV_HUGEPAGE);
            return large;
        }
    }
#endif
    return malloc(size);
}

static void default_release(void *context, void *pointer)
{
    (void)context;
    free(pointer);
}

const mlstm_allocator default_allocator = {default_allocate, default_release, NULL};

void *allocate(const mlstm_allocator *allocator, size_t size)
{
    /* The pointer that the allocator gave stands right before the one that is used. */
    const size_t slack = sizeof(void *) + LINE - 1;
    if (size > PTRDIFF_MAX - slack)
        return NULL;
    char *given = allocator->allocate(allocator->context, size + slack);
    if (!given)
        return NULL;
    char *used = given + slack - ((uintptr_t)given + slack) % LINE;
    memcpy(used - sizeof given, &given, sizeof given);
    return memset(used, 0, size);
}

void release(const mlstm_allocator *allocator, void *pointer)
{
    if (!pointer)
        return;
    char *given;
    memcpy(&given, (char *)pointer - sizeof given, sizeof given);
    allocator->release(allocator->context, given);
}

size_t arena_take(struct arena *arena, size_t a, size_t b, size_t c)
{
    const size_t place = arena->count;
    size_t size;
    if (__builtin_mul_overflow(a, b, &size) || __builtin_mul_overflow(size, c, &size) ||
        __builtin_add_overflow(size, place + LINE_FLOATS - 1, &size) ||
        size > PTRDIFF_MAX / sizeof(float) / 2) {
        arena->overflow = true;
        return 0;
    }
    arena->count = size / LINE_FLOATS * LINE_FLOATS;
    return place;
}
