/* SPDX-License-Identifier: MIT */
#include "pace.h"

/* The first passes meet new memory. */
#define FIRST_PASSES 64

/*
 * So many passes count, or as many as are long, and as many as take a number of nanoseconds. Shared
 * ones get several such windows: a system that woke a helper on its caller's core needs some time
 * to move it, and one where others run has them wait for a slice of time now and then.
 */
#define ENOUGH 3
#define LONG_TIME 1e7
#define ALONE_TIME 3e4
#define SHARED_TIME 5e6
#define WINDOWS 8

/*
 * The next trial comes after so many times what the slower passes of this one have cost, and each
 * time that it confirms the last, after twice as many. Others may have disturbed one that was for
 * going alone.
 */
#define WORTH_TRYING_ALONE 32
#define WORTH_TRYING_SHARED 8
#define MOST_DOUBLINGS 5

/*
 * A pass in which somebody slept, maybe for a slice of time, brings the next one nearer by so many
 * nanoseconds.
 */
#define SLEPT_TIME 3e5

struct pace *pace_of(struct pace *paces, int32_t steps)
{
    int32_t kind = 0;
    while (kind < PACES - 1 && steps >> (kind + 1) > 0)
        kind++;
    return &paces[kind];
}

bool pace_is_shared(const struct pace *pace)
{
    return pace->phase == PACE_TRY_SHARED || (pace->phase == PACE_SETTLED && !pace->goes_alone);
}

bool pace_is_timed(const struct pace *pace)
{
    return pace->phase != PACE_SETTLED;
}

static void settle(struct pace *pace)
{
    const bool goes_alone = pace->alone.rate <= pace->shared.rate;
    const struct pace_trial *fast = goes_alone ? &pace->alone : &pace->shared;
    const struct pace_trial *slow = goes_alone ? &pace->shared : &pace->alone;
    if (goes_alone != pace->goes_alone)
        pace->confirmed = 0;
    else if (pace->confirmed < MOST_DOUBLINGS)
        pace->confirmed++;
    const double cost = slow->time - slow->steps * fast->rate;
    const int32_t worth = goes_alone ? WORTH_TRYING_SHARED : WORTH_TRYING_ALONE;
    const double enough = cost * (worth << pace->confirmed) / fast->rate;
    const double least = 4 * slow->steps;
    pace->left = enough > least ? enough : least;
    pace->goes_alone = goes_alone;
    pace->phase = PACE_SETTLED;
}

static void add(struct pace_trial *trial, int32_t steps, double time, bool counts)
{
    trial->time += time;
    trial->steps += steps;
    if (!counts)
        return;
    trial->counted_time += time;
    trial->counted_steps += steps;
    trial->counted++;
}

/* Whether a window of so long is full: then `rate` is its. */
static bool is_full(struct pace_trial *trial, double time)
{
    if (trial->counted_time < time || (trial->counted < ENOUGH && trial->counted_time < LONG_TIME))
        return false;
    trial->rate = trial->counted_time / trial->counted_steps;
    trial->counted_time = trial->counted_steps = 0;
    trial->counted = 0;
    trial->windows++;
    return true;
}

static void try_alone(struct pace *pace, int32_t steps, double time)
{
    /* The first one fetches what lies in other caches. */
    add(&pace->alone, steps, time, pace->alone.steps > 0);
    if (is_full(&pace->alone, ALONE_TIME)) {
        pace->shared = (struct pace_trial){0};
        pace->phase = PACE_TRY_SHARED;
    }
}

static void try_shared(struct pace *pace, int32_t steps, double time)
{
    struct pace_trial *shared = &pace->shared;
    add(shared, steps, time, true);
    if (is_full(shared, SHARED_TIME) &&
        (shared->rate < pace->alone.rate || shared->windows == WINDOWS))
        settle(pace);
}

void pace_note(struct pace *pace, int32_t steps, double time, bool slept)
{
    switch (pace->phase) {
    case PACE_TRY_ALONE: try_alone(pace, steps, time); break;
    case PACE_TRY_SHARED: try_shared(pace, steps, time); break;
    default:
        pace->left -= steps;
        if (slept && pace->shared.rate > 0)
            pace->left -= SLEPT_TIME / pace->shared.rate;
        if (pace->first < FIRST_PASSES) {
            pace->first++;
        } else if (pace->left <= 0) {
            pace->alone = (struct pace_trial){0};
            pace->phase = PACE_TRY_ALONE;
        }
    }
}

int32_t pace_run(struct pace *pace, struct team *team, int32_t threads, int32_t steps,
                 bool worth_waking, void (*work)(void *context, struct worker *worker),
                 void *context)
{
    const bool timed = pace_is_timed(pace);
    const int64_t begin = timed ? monotonic_time() : 0;
    if (!pace_is_shared(pace)) {
        threads = 1;
    } else if (!worth_waking && !team_is_awake(team, threads)) {
        team_wake(team, threads);
        threads = 1;
    }
    team_run(team, threads, work, context);
    pace_note(pace, steps, timed ? (double)(monotonic_time() - begin) : 0, team_slept(team));
    return threads;
}
