/* SPDX-License-Identifier: MIT */
#ifndef THREAD_H
#define THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include <mlstm/allocator.h>
#include <mlstm/status.h>

/* In nanoseconds. */
int64_t monotonic_time(void);

/* The threads of one state: the one that calls, and helpers that sleep between passes. */
struct team;

mlstm_status team_create(const mlstm_allocator *allocator, int32_t threads, struct team **team);
void team_destroy(struct team *team); /* NULL is left alone */

/*
 * Whether the helpers of a pass on so many threads can begin at once; wakes them for a later one;
 * whether anybody slept in a pass since.
 */
bool team_is_awake(const struct team *team, int32_t threads);
void team_wake(struct team *team, int32_t threads);
bool team_slept(struct team *team);

/* One thread's part in a pass. */
struct worker {
    int32_t index, count;
    struct team *team;
};

/* Runs `work` on `threads` threads of the team, or on the calling one in a child of its process. */
void team_run(struct team *team, int32_t threads,
              void (*work)(void *context, struct worker *worker), void *context);

/* Waits until all of several workers have come here. */
void worker_meet(struct worker *worker);

/* Waits until all workers of the pass have come here. */
static inline void worker_wait(struct worker *worker)
{
    if (worker->count > 1)
        worker_meet(worker);
}

struct range {
    int32_t begin, end;
};

/*
 * This worker's rows of the batch, and whether they are enough: then it goes through the steps of a
 * layer without meeting the others, for rows know nothing of each other.
 */
bool worker_rows(const struct worker *worker, int32_t rows, int32_t enough, struct range *row);

/* One of several workers' part of a grid; rows are only divided where items do not suffice. */
void worker_divide(const struct worker *worker, int32_t rows, int32_t items, struct range *row,
                   struct range *item);

/* This worker's part of a grid of rows and items. */
static inline void worker_share(const struct worker *worker, int32_t rows, int32_t items,
                                struct range *row, struct range *item)
{
    *row = (struct range){0, rows};
    *item = (struct range){0, items};
    if (worker->count > 1)
        worker_divide(worker, rows, items, row, item);
}

/* This worker's part of items that each are one worker's. */
static inline struct range worker_items(const struct worker *worker, int32_t items)
{
    struct range row, item;
    worker_share(worker, 1, items, &row, &item);
    return item;
}

#endif
