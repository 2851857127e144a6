/* SPDX-License-Identifier: MIT */
#ifndef PACE_H
#define PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "thread.h"

enum pace_phase { PACE_SETTLED, PACE_TRY_ALONE, PACE_TRY_SHARED };

/* One way to run passes, as it was last tried. */
struct pace_trial {
    double time, steps;                 /* nanoseconds and steps of all its passes, */
    double counted_time, counted_steps; /* and of the last ones, which count */
    int32_t counted;                    /* of which there were so many */
    int32_t windows;                    /* of passes that counted and were not good enough */
    double rate;                        /* nanoseconds a step */
};

/*
 * Whether passes of one kind go faster with helpers. What meetings cost depends on where the system
 * lets the threads run and on what else does, so it is tried: some passes alone, some shared, and
 * then the faster way for as long as makes up for the slower passes of the trial. It begins as
 * zeros, with passes that are shared.
 */
struct pace {
    enum pace_phase phase;
    int32_t first; /* passes so far, up to the first trial */
    struct pace_trial alone, shared;
    bool goes_alone;   /* what is settled, */
    double left;       /* for so many steps more */
    int32_t confirmed; /* so often since it last changed */
};

/* Passes of 1 step, 2 or 3, 4 to 7 and so on are kinds; the last one has all that are longer. */
#define PACES 8
struct pace *pace_of(struct pace *paces, int32_t steps);

/* Whether the next pass is shared, and whether its time is asked for. */
bool pace_is_shared(const struct pace *pace);
bool pace_is_timed(const struct pace *pace);

/* After a pass: its nanoseconds, if they were asked for, and whether somebody slept in it. */
void pace_note(struct pace *pace, int32_t steps, double time, bool slept);

/*
 * Runs a pass on so many threads of the team, or on the calling one, whichever is faster; returns
 * how many they were. One that is not worth waking helpers for wakes them for the next ones.
 */
int32_t pace_run(struct pace *pace, struct team *team, int32_t threads, int32_t steps,
                 bool worth_waking, void (*work)(void *context, struct worker *worker),
                 void *context);

#endif
