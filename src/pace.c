/* SPDX-License-Identifier: MIT */
#include "pace.h"

/* Passes of a trial, and how many of them do not count: helpers wake up, caches change their contents. */
#define SHARED_PASSES 24
#define SHARED_WARM 16
#define ALONE_PASSES 4
#define ALONE_WARM 1

/* The end of a trial that takes as long as so many passes alone: helpers have to wait for their core. */
#define HOPELESS 100

#define LEAST_STRETCH 256
#define MOST_STRETCH 8192
#define MOST_HOPELESS_STRETCH 65536
#define LEAST_PATIENCE 8
#define MOST_PATIENCE 1024

struct pace *pace_of(struct pace *paces, int32_t steps)
{
    int32_t kind = 0;
    while (kind < PACES - 1 && steps >> (kind + 1) > 0)
        kind++;
    return &paces[kind];
}

bool pace_is_shared(const struct pace *pace)
{
    return pace->phase == PACE_TRY_SHARED || (pace->phase == PACE_SETTLED && pace->shared);
}

bool pace_is_timed(const struct pace *pace)
{
    return pace->phase != PACE_SETTLED;
}

static void enter(struct pace *pace, enum pace_phase phase)
{
    pace->phase = phase;
    pace->passes = 0;
    pace->time = 0;
}

static int32_t twice(int32_t now, int32_t most)
{
    return now > most / 2 ? most : 2 * now;
}

static void settle(struct pace *pace, bool shared, int32_t most)
{
    if (pace->stretch == 0 || shared != pace->shared) {
        pace->stretch = LEAST_STRETCH;
        pace->patience = LEAST_PATIENCE;
    } else if (pace->sleeps >= pace->patience) {
        pace->patience = twice(pace->patience, MOST_PATIENCE);
    } else {
        pace->stretch = twice(pace->stretch, most);
    }
    pace->shared = shared;
    pace->sleeps = 0;
    enter(pace, PACE_SETTLED);
}

void pace_note(struct pace *pace, double time, bool slept)
{
    pace->passes++;
    pace->time += time;
    switch (pace->phase) {
    case PACE_TRY_SHARED:
        if (pace->alone_time > 0 && pace->time > HOPELESS * pace->alone_time)
            settle(pace, false, MOST_HOPELESS_STRETCH);
        else if (pace->passes == SHARED_WARM)
            pace->time = 0;
        else if (pace->passes == SHARED_PASSES) {
            pace->shared_time = pace->time / (SHARED_PASSES - SHARED_WARM);
            enter(pace, PACE_TRY_ALONE);
        }
        break;
    case PACE_TRY_ALONE:
        if (pace->passes == ALONE_WARM)
            pace->time = 0;
        else if (pace->passes == ALONE_PASSES) {
            pace->alone_time = pace->time / (ALONE_PASSES - ALONE_WARM);
            settle(pace, pace->shared_time < pace->alone_time, MOST_STRETCH);
        }
        break;
    default:
        pace->sleeps += slept;
        if (pace->passes >= pace->stretch || pace->sleeps >= pace->patience)
            enter(pace, PACE_TRY_SHARED);
    }
}
