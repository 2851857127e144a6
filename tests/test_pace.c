/* SPDX-License-Identifier: MIT */
/* Whether passes go on with helpers or without, for times that are made up. */
#include "pace.h"

#include "support.h"

/* Nanoseconds of a step with helpers and without; whether somebody sleeps in a shared pass. */
struct world {
    double shared, alone;
    bool sleeps;
};

enum { STEPS = 4 };

/* What a number of passes has taken, and how many of them were shared. */
struct sum {
    double time;
    int32_t shared;
};

static void step(struct pace *pace, struct world world, int32_t steps, struct sum *sum)
{
    const bool shared = pace_is_shared(pace), timed = pace_is_timed(pace);
    const double time = steps * (shared ? world.shared : world.alone);
    sum->time += time;
    sum->shared += shared;
    pace_note(pace, steps, timed ? time : 0, shared && world.sleeps);
}

static struct sum run(struct pace *pace, struct world world, int32_t passes)
{
    struct sum sum = {0};
    for (int32_t i = 0; i < passes; i++)
        step(pace, world, STEPS, &sum);
    return sum;
}

static const struct world near = {.shared = 600, .alone = 1000};
static const struct world far = {.shared = 3000, .alone = 1000};

static void the_first_passes_are_shared(void **state)
{
    (void)state;
    struct pace pace = {0};
    assert_int_equal(run(&pace, far, 64).shared, 64);
    assert_false(pace_is_timed(&pace));
}

/* After a minute of passes that take microseconds, or milliseconds. */
static void trials_cost_little(void **state)
{
    (void)state;
    for (double length = 1; length < 2000; length *= 3) {
        const int32_t passes = (int32_t)(1.5e7 / length);
        const struct world good = {600 * length, 1000 * length, false};
        const struct world bad = {3000 * length, 1000 * length, false};
        struct pace one = {0}, other = {0};
        run(&one, good, passes);
        run(&other, bad, passes);
        assert_true(run(&one, good, passes).time < 1.01 * STEPS * passes * good.shared);
        assert_true(run(&other, bad, passes).time < 1.01 * STEPS * passes * bad.alone);
    }
}

static void changes_are_noticed(void **state)
{
    (void)state;
    struct pace pace = {0};
    run(&pace, near, 1000000);
    run(&pace, far, 10000);
    assert_true(run(&pace, far, 10000).shared < 9000);
    assert_true(run(&pace, far, 1000000).shared < 40000);
    run(&pace, near, 1000000);
    assert_true(run(&pace, near, 10000).shared > 9900);
}

/* A helper that the system woke on the same core is moved after some milliseconds. */
static void helpers_are_waited_for(void **state)
{
    (void)state;
    const struct world one_core = {.shared = 30000, .alone = 5000};
    const struct world two_cores = {.shared = 3000, .alone = 5000};
    struct pace pace = {0};
    run(&pace, one_core, 64 + 5 + 100);
    assert_true(pace_is_shared(&pace) && pace_is_timed(&pace));
    assert_true(run(&pace, two_cores, 10000).shared > 9900);
}

/* A disturbance while they were tried does not decide over long passes for long. */
static void mistakes_do_not_last(void **state)
{
    (void)state;
    const struct world disturbed = {.shared = 700000, .alone = 500000};
    const struct world quiet = {.shared = 250000, .alone = 500000};
    struct pace pace = {0};
    run(&pace, disturbed, 64 + 5 + 25);
    assert_false(pace_is_shared(&pace));
    run(&pace, quiet, 400);
    assert_true(run(&pace, quiet, 1000).shared > 950);
}

/* Where threads have to share a core they sleep in passes. */
static void sleep_is_noticed_soon(void **state)
{
    (void)state;
    const struct world busy = {.shared = 1e6, .alone = 1000, .sleeps = true};
    struct pace pace = {0};
    run(&pace, near, 1000000);
    assert_true(run(&pace, busy, 1000).shared < 150);
}

/* Passes that are faster although somebody sleeps in all of them are not tried too often. */
static void sleep_is_got_used_to(void **state)
{
    (void)state;
    const struct world uneven = {.shared = 600, .alone = 1000, .sleeps = true};
    struct pace pace = {0};
    run(&pace, uneven, 10000);
    assert_true(run(&pace, uneven, 10000).time < 1.08 * STEPS * 10000 * uneven.shared);
}

/* Some more or less steps of the same kind compare by the step. */
static void steps_are_what_counts(void **state)
{
    (void)state;
    const struct world even = {.shared = 900, .alone = 1000};
    struct pace pace = {0};
    struct sum sum = {0};
    for (int32_t i = 0; i < 100000; i++)
        step(&pace, even, i % 2 ? 4 : 7, &sum);
    assert_true(sum.shared > 99000);
}

static void numbers_of_steps_are_of_kinds(void **state)
{
    (void)state;
    struct pace paces[PACES];
    assert_ptr_equal(pace_of(paces, 1), &paces[0]);
    assert_ptr_equal(pace_of(paces, 2), &paces[1]);
    assert_ptr_equal(pace_of(paces, 3), &paces[1]);
    assert_ptr_equal(pace_of(paces, 4), &paces[2]);
    assert_ptr_equal(pace_of(paces, 127), &paces[6]);
    assert_ptr_equal(pace_of(paces, 128), &paces[PACES - 1]);
    assert_ptr_equal(pace_of(paces, INT32_MAX), &paces[PACES - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_passes_are_shared),   cmocka_unit_test(trials_cost_little),
        cmocka_unit_test(changes_are_noticed),           cmocka_unit_test(helpers_are_waited_for),
        cmocka_unit_test(mistakes_do_not_last),          cmocka_unit_test(sleep_is_noticed_soon),
        cmocka_unit_test(sleep_is_got_used_to),          cmocka_unit_test(steps_are_what_counts),
        cmocka_unit_test(numbers_of_steps_are_of_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
