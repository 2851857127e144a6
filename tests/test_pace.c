/* SPDX-License-Identifier: MIT */
/* Whether passes go on with helpers or without, for times that are made up. */
#include "pace.h"

#include "support.h"

/* How long a pass takes with helpers and without; whether somebody sleeps in a shared one. */
struct world {
    double shared, alone;
    bool sleeps;
};

static bool step(struct pace *pace, struct world world)
{
    const bool shared = pace_is_shared(pace), timed = pace_is_timed(pace);
    pace_note(pace, !timed ? 0 : shared ? world.shared : world.alone, shared && world.sleeps);
    return shared;
}

/* How many of so many passes were shared. */
static int32_t run(struct pace *pace, struct world world, int32_t passes)
{
    int32_t shared = 0;
    for (int32_t i = 0; i < passes; i++)
        shared += step(pace, world);
    return shared;
}

static void settle(struct pace *pace, struct world world)
{
    while (pace_is_timed(pace))
        step(pace, world);
}

static const struct world near = {.shared = 6, .alone = 10}, far = {.shared = 11, .alone = 10};

static void the_first_passes_are_shared(void **state)
{
    (void)state;
    struct pace pace = {0};
    assert_int_equal(run(&pace, far, 20), 20);
}

static void the_faster_way_is_taken(void **state)
{
    (void)state;
    struct pace one = {0}, other = {0};
    assert_true(run(&one, near, 100000) > 99000);
    assert_true(run(&other, far, 100000) < 1000);
}

static void waking_up_does_not_count(void **state)
{
    (void)state;
    const struct world asleep = {.shared = 500, .alone = 10};
    struct pace pace = {0};
    run(&pace, asleep, 16);
    settle(&pace, near);
    assert_true(pace_is_shared(&pace));
}

static void changes_are_noticed(void **state)
{
    (void)state;
    struct pace pace = {0};
    run(&pace, near, 100000);
    run(&pace, far, 10000);
    assert_true(run(&pace, far, 10000) < 1000);
    run(&pace, near, 10000);
    assert_true(run(&pace, near, 10000) > 9000);
}

/* Where threads have to share a core they sleep in passes; long before the stretch is over. */
static void sleep_is_noticed_at_once(void **state)
{
    (void)state;
    const struct world busy = {.shared = 1000, .alone = 10, .sleeps = true};
    struct pace pace = {0};
    run(&pace, near, 1000000);
    settle(&pace, near);
    assert_true(run(&pace, busy, 100) < 60);
    assert_false(pace_is_shared(&pace));
}

/* A trial costs no more than a hundred passes alone, and the next one comes late. */
static void trials_without_hope_are_short(void **state)
{
    (void)state;
    const struct world crowded = {.shared = 1000, .alone = 10, .sleeps = true};
    struct pace pace = {0};
    run(&pace, crowded, 100000);
    assert_true(run(&pace, crowded, 1000000) < 40);
}

/* But passes that are faster in spite of it are not tried again and again. */
static void sleep_is_got_used_to(void **state)
{
    (void)state;
    const struct world uneven = {.shared = 6, .alone = 10, .sleeps = true};
    struct pace pace = {0};
    run(&pace, uneven, 10000);
    assert_true(run(&pace, uneven, 10000) > 9900);
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
        cmocka_unit_test(the_first_passes_are_shared),
        cmocka_unit_test(the_faster_way_is_taken),
        cmocka_unit_test(waking_up_does_not_count),
        cmocka_unit_test(changes_are_noticed),
        cmocka_unit_test(sleep_is_noticed_at_once),
        cmocka_unit_test(trials_without_hope_are_short),
        cmocka_unit_test(sleep_is_got_used_to),
        cmocka_unit_test(numbers_of_steps_are_of_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
