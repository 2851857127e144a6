/* SPDX-License-Identifier: MIT */
#ifndef PACE_H
#define PACE_H

#include <stdbool.h>
#include <stdint.h>

enum pace_phase { PACE_TRY_SHARED, PACE_TRY_ALONE, PACE_SETTLED };

/*
 * Whether passes of one kind go faster with helpers. What meetings cost depends on where the system lets
 * the threads run and on what else does, so it is tried: some passes shared, some alone, and then many of
 * the faster way. It begins as zeros.
 */
struct pace {
    enum pace_phase phase;
    int32_t passes;                 /* of this phase so far, */
    double time;                    /* and how long they took, but for those that do not count */
    double shared_time, alone_time; /* of a pass when it was last tried */
    /*
     * What is settled holds for a stretch of passes, or until somebody has slept in more of them than
     * patience allows. Both grow with each trial that has changed nothing.
     */
    bool shared;
    int32_t stretch, patience, sleeps;
};

/* Passes of 1 step, 2 or 3, 4 to 7 and so on are kinds; the last one has all that are longer. */
#define PACES 8
struct pace *pace_of(struct pace *paces, int32_t steps);

/* Whether the next pass is shared, and whether its time is asked for. */
bool pace_is_shared(const struct pace *pace);
bool pace_is_timed(const struct pace *pace);

/* After a pass: how long it took, if that was asked for, and whether somebody slept in it. */
void pace_note(struct pace *pace, double time, bool slept);

#endif
