/* SPDX-License-Identifier: MIT */
/* The threads of a state without one: who takes part in a pass, what others do meanwhile. */
#if defined(__linux__)
#define _GNU_SOURCE
#else
#define _POSIX_C_SOURCE 200809L
#endif
#include "thread.h"

#include "support.h"

#include <sched.h>
#include <signal.h>
#include <time.h>

#include "alloc.h"

enum { THREADS = 6, MEETINGS = 3 };

static int32_t processors(void)
{
#if defined(__linux__)
    cpu_set_t own;
    assert_int_equal(sched_getaffinity(0, sizeof own, &own), 0);
    return CPU_COUNT(&own);
#else
    return 2;
#endif
}

static struct team *new_team(int32_t threads)
{
    struct team *team;
    assert_ok(team_create(&default_allocator, threads, &team));
    return team;
}

/* What each worker of a pass has written where only it does. */
struct notes {
    int32_t runs[THREADS], counts[THREADS], stages[THREADS], mistakes[THREADS];
    int64_t nanoseconds[THREADS];
};

/* Every worker is where the others are after each meeting. */
static void meet(void *context, struct worker *worker)
{
    struct notes *notes = context;
    notes->runs[worker->index]++;
    notes->counts[worker->index] = worker->count;
    for (int32_t stage = 1; stage <= MEETINGS; stage++) {
        notes->stages[worker->index] = stage;
        worker_wait(worker);
        for (int32_t i = 0; i < worker->count; i++)
            notes->mistakes[worker->index] += notes->stages[i] != stage;
        worker_wait(worker);
    }
}

/* Passes of different numbers of its threads. */
static void use_some(struct team *team)
{
    struct random random = {1};
    for (int32_t pass = 0; pass < 300; pass++) {
        struct notes notes = {0};
        const int32_t threads = random_integer(&random, 1, THREADS);
        if (pass % 4 == 0) /* so that some sleep, and in the next passes others */
            nanosleep(&(struct timespec){.tv_nsec = random_integer(&random, 1, 150000)}, NULL);
        team_run(team, threads, meet, &notes);
        for (int32_t i = 0; i < THREADS; i++) {
            assert_int_equal(notes.runs[i], i < threads);
            assert_int_equal(notes.counts[i], i < threads ? threads : 0);
            assert_int_equal(notes.mistakes[i], 0);
        }
    }
}

static void passes_use_some(void **state)
{
    (void)state;
    struct team *team = new_team(THREADS);
    use_some(team);
    team_destroy(team);
}

#if defined(__linux__)
/* Helpers that have one processor sleep whenever they wait; nobody wakes them but for a pass. */
static void crowded_ones_sleep(void **state)
{
    (void)state;
    cpu_set_t all, one, others;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    if (processors() < 2)
        skip();
    size_t first = 0;
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    CPU_XOR(&others, &all, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    struct team *team = new_team(THREADS);
    assert_int_equal(sched_setaffinity(0, sizeof others, &others), 0);
    use_some(team);
    while (team_is_awake(team, 2))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    for (int32_t i = 0; i < 20; i++) {
        const int64_t end = monotonic_time() + 1000000;
        team_wake(team, 2);
        while (monotonic_time() < end)
            assert_false(team_is_awake(team, 2));
    }
    team_destroy(team);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}
#endif

static void no_more_than_there_are(void **state)
{
    (void)state;
    struct notes notes = {0};
    struct team *team = new_team(2);
    team_run(team, THREADS, meet, &notes);
    assert_int_equal(notes.counts[0], 2);
    assert_int_equal(notes.counts[1], 2);
    team_destroy(team);
}

static void note_time(void *context, struct worker *worker)
{
    struct notes *notes = context;
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    notes->nanoseconds[worker->index] = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* While others pass, and meet, they take no time of a processor. */
static void those_without_a_part_rest(void **state)
{
    (void)state;
    struct notes before = {0}, after = {0}, notes = {0};
    struct team *team = new_team(4);
    team_run(team, 4, note_time, &before);
    const int64_t end = monotonic_time() + 100000000;
    while (monotonic_time() < end)
        team_run(team, 2, meet, &notes);
    team_run(team, 4, note_time, &after);
    for (int32_t i = 2; i < 4; i++)
        assert_true(after.nanoseconds[i] - before.nanoseconds[i] < 5000000);
    team_destroy(team);
}

/* Those whom the next pass needs are awake after one, or when woken, and the others are not. */
static void those_with_a_part_are_awake(void **state)
{
    (void)state;
    if (processors() < 2)
        skip();
    struct notes notes = {0};
    struct team *team = new_team(4);
    int32_t passes = 0;
    do
        team_run(team, 2, meet, &notes);
    while ((!team_is_awake(team, 2) || team_is_awake(team, 3)) && ++passes < 100000);
    assert_true(passes < 100000);
    while (team_is_awake(team, 2))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    while (!team_is_awake(team, 2))
        team_wake(team, 2);
    assert_false(team_is_awake(team, 4));
    assert_true(team_is_awake(team, 1));
    team_destroy(team);
}

static void note_signals(void *context, struct worker *worker)
{
    sigset_t *blocked = context;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked[worker->index]);
}

/*
 * Helpers take no signal of the application's, but those of their own faults and time, for which it
 * may have handlers.
 */
static void helpers_take_their_own_signals(void **state)
{
    (void)state;
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF};
    static const int others[] = {SIGHUP, SIGINT, SIGTERM, SIGALRM, SIGCHLD, SIGUSR1, SIGPIPE};
    sigset_t before, blocked[3];
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    struct team *team = new_team(3);
    team_run(team, 3, note_signals, blocked);
    for (int32_t i = 1; i < 3; i++) {
        for (size_t k = 0; k < COUNT(own); k++)
            assert_int_equal(sigismember(&blocked[i], own[k]), 0);
        for (size_t k = 0; k < COUNT(others); k++)
            assert_int_equal(sigismember(&blocked[i], others[k]), 1);
    }
    for (size_t k = 0; k < COUNT(others); k++) /* the thread that calls is as it was */
        assert_int_equal(sigismember(&blocked[0], others[k]), sigismember(&before, others[k]));
    team_destroy(team);
}

/* Every place of a grid is one worker's. */
static void grids_are_divided(void **state)
{
    (void)state;
    enum { MOST = 20 };
    struct random random = {2};
    for (int32_t grid = 0; grid < 1000; grid++) {
        const int32_t rows = random_integer(&random, 1, MOST);
        const int32_t items = random_integer(&random, 1, MOST);
        struct worker worker = {.count = random_integer(&random, 1, 12)};
        int32_t taken[MOST][MOST] = {0};
        for (; worker.index < worker.count; worker.index++) {
            struct range row, item;
            worker_share(&worker, rows, items, &row, &item);
            for (int32_t r = row.begin; r < row.end; r++)
                for (int32_t i = item.begin; i < item.end; i++)
                    taken[r][i]++;
        }
        for (int32_t r = 0; r < MOST; r++)
            for (int32_t i = 0; i < MOST; i++)
                assert_int_equal(taken[r][i], r < rows && i < items);
    }
}

/* Where two workers have two items each row is read as a whole, however many there are. */
static void items_are_divided_first(void **state)
{
    (void)state;
    static const int32_t most[] = {1, 3, INT32_MAX};
    for (size_t k = 0; k < COUNT(most); k++) {
        struct range row, item;
        worker_share(&(struct worker){.index = 1, .count = 2}, most[k], 2, &row, &item);
        assert_int_equal(row.begin, 0);
        assert_int_equal(row.end, most[k]);
        assert_int_equal(item.begin, 1);
        worker_share(&(struct worker){.index = 1, .count = 2}, 1, most[k], &row, &item);
        assert_int_equal(item.begin, most[k] / 2);
        assert_int_equal(item.end, most[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_use_some),
        cmocka_unit_test(no_more_than_there_are),
        cmocka_unit_test(those_without_a_part_rest),
        cmocka_unit_test(those_with_a_part_are_awake),
        cmocka_unit_test(helpers_take_their_own_signals),
        cmocka_unit_test(grids_are_divided),
        cmocka_unit_test(items_are_divided_first),
#if defined(__linux__)
        cmocka_unit_test(crowded_ones_sleep),
#endif
    };
    return cmocka_run_group_tests_name("team", tests, NULL, NULL);
}
