/* SPDX-License-Identifier: MIT */
#include "pace.h"

/* The first passes meet new memory. */
#define FIRST_PASSES 64

/* Nanoseconds for helpers to wake up, before passes count. */
#define WAKING_TIME 1e5

/* A trial is so many passes that count, and as many as take so long. */
#define ENOUGH 3
#define ENOUGH_TIME 3e4

/* It ends at once where helpers have to wait for a core: with so many times as long as alone, and so long more. */
#define HOPELESS 10
#define HOPELESS_TIME 5e5

/* So many times what its slower passes cost comes before the next one; each time that it confirms the last, twice as much. */
#define WORTH_TRYING 8
#define MOST_DOUBLINGS 5

/* A pass in which somebody slept brings the next one as near as so many others. */
#define SLEPT 8

struct pace *pace_of(struct pace *paces, int32_t steps)
{
    int32_t kind = 0;
    while (kind < PACES - 1 && steps >> (kind + 1) > 0)
        kind++;
    return &paces[kind];
}

bool pace_is_shared(const struct pace *pace)
{
    return pace->phase == PACE_TRY_SHARED || (pace->phase == PACE_SETTLED && !pace->alone);
}

bool pace_is_timed(const struct pace *pace)
{
    return pace->phase != PACE_SETTLED;
}

static void settle(struct pace *pace)
{
    const struct pace_trial *shared = &pace->trials[0], *alone = &pace->trials[1];
    const bool better = alone->rate <= shared->rate;
    const struct pace_trial *fast = better ? alone : shared, *slow = better ? shared : alone;
    if (better != pace->alone)
        pace->confirmed = 0;
    else if (pace->confirmed < MOST_DOUBLINGS)
        pace->confirmed++;
    const double cost = slow->time - slow->steps * fast->rate;
    const double enough = cost * (WORTH_TRYING << pace->confirmed) / fast->rate;
    const double least = 4 * (shared->steps + alone->steps);
    pace->left = enough > least ? enough : least;
    pace->alone = better;
    pace->phase = PACE_SETTLED;
}

static bool is_hopeless(const struct pace *pace)
{
    const struct pace_trial *shared = &pace->trials[0];
    const double alone = shared->steps * pace->trials[1].rate;
    return pace->phase == PACE_TRY_SHARED && alone > 0 &&
           shared->time > HOPELESS * alone + HOPELESS_TIME;
}

static struct pace_trial *current(struct pace *pace)
{
    return &pace->trials[pace->phase == PACE_TRY_ALONE];
}

static void try_next(struct pace *pace, enum pace_phase phase)
{
    pace->phase = phase;
    *current(pace) = (struct pace_trial){.rate = current(pace)->rate};
}

static void note_trial(struct pace *pace, int32_t steps, double time)
{
    struct pace_trial *trial = current(pace);
    trial->time += time;
    trial->steps += steps;
    if (trial->warm) {
        trial->counted_time += time;
        trial->counted_steps += steps;
        trial->counted++;
    }
    trial->warm = pace->phase == PACE_TRY_ALONE || trial->time >= WAKING_TIME;
    if (is_hopeless(pace)) {
        trial->rate = trial->time / trial->steps;
        settle(pace);
    } else if (trial->counted >= ENOUGH && trial->counted_time >= ENOUGH_TIME) {
        trial->rate = trial->counted_time / trial->counted_steps;
        if (pace->phase == PACE_TRY_SHARED)
            try_next(pace, PACE_TRY_ALONE);
        else
            settle(pace);
    }
}

void pace_note(struct pace *pace, int32_t steps, double time, bool slept)
{
    if (pace->phase != PACE_SETTLED) {
        note_trial(pace, steps, time);
        return;
    }
    pace->left -= slept ? SLEPT * (double)steps : steps;
    if (pace->first < FIRST_PASSES)
        pace->first++;
    else if (pace->left <= 0)
        try_next(pace, PACE_TRY_SHARED);
}
