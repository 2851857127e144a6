/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
/* To count processors. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE
#endif
#include "thread.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "alloc.h"
#include "float_mode.h"
#include "status.h"

/* Nanoseconds to look before going to sleep: about as long as it takes to be woken. */
#define LOOK_TIME 50000
/*
 * How often it looks at least, and between two looks at the clock: a pause of the processor takes 1
 * cycle or 140.
 */
#define LOOKS 64

/* Threads that wait for the same and have looked long enough. */
struct sleepers {
    atomic_int count;
    atomic_bool slept; /* somebody, since it was last asked */
    pthread_cond_t wake;
};

struct helper {
    struct team *team;
    pthread_t thread;
    int32_t index;

    _Alignas(64) atomic_uint passes; /* that it was called to */
    struct sleepers sleepers;        /* itself, between them or before it has begun */
};

struct team {
    mlstm_allocator allocator;
    pid_t process; /* that made it, */
    int32_t forks; /* after so many */
    int32_t threads;
    int32_t processors;     /* that these may run on */
    struct helper *helpers; /* from the second on: the first is the thread that calls */
    pthread_mutex_t mutex;
    bool ending; /* under the mutex */

    atomic_int running; /* threads of this pass, or of the next one that is known of */
    /* Of this pass; helpers without a part in it know nothing of it. */
    void (*work)(void *context, struct worker *worker);
    void *context;
    atomic_uint unfinished;   /* helpers that are not done with it */
    struct sleepers sleepers; /* in it */

    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_uint meeting;
};

static void pause_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

int64_t monotonic_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int32_t running_threads(const struct team *team)
{
    return atomic_load_explicit(&team->running, memory_order_relaxed);
}

/* More threads than processors: who looks on keeps one from those that are waited for. */
static bool is_crowded(const struct team *team)
{
    return running_threads(team) > team->processors;
}

static bool look(const struct team *team, const atomic_uint *value, unsigned last)
{
    for (int64_t begin = 0;;) {
        for (int i = 0; i < LOOKS; i++) {
            if (atomic_load(value) != last)
                return true;
            pause_processor();
        }
        if (is_crowded(team))
            return false;
        const int64_t time = monotonic_time();
        if (begin == 0)
            begin = time;
        else if (time - begin >= LOOK_TIME)
            return false;
    }
}

/* Until the value is no longer `last` or the team ends. Whoever changes it wakes these sleepers. */
static void wait_for(struct team *team, struct sleepers *sleepers, const atomic_uint *value,
                     unsigned last)
{
    bool ending = false;
    while (!ending && !look(team, value, last)) {
        /* Crowded ones do so always: it tells nothing. */
        if (!is_crowded(team))
            atomic_store_explicit(&sleepers->slept, true, memory_order_relaxed);
        pthread_mutex_lock(&team->mutex);
        atomic_fetch_add(&sleepers->count, 1);
        if (!team->ending && atomic_load(value) == last)
            pthread_cond_wait(&sleepers->wake, &team->mutex);
        atomic_fetch_sub(&sleepers->count, 1);
        ending = team->ending;
        pthread_mutex_unlock(&team->mutex);
    }
}

static void wake(struct team *team, struct sleepers *sleepers)
{
    if (atomic_load(&sleepers->count) == 0)
        return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_broadcast(&sleepers->wake);
    pthread_mutex_unlock(&team->mutex);
}

void worker_meet(struct worker *worker)
{
    struct team *team = worker->team;
    const unsigned meeting = atomic_load_explicit(&team->meeting, memory_order_relaxed);
    if (atomic_fetch_add(&team->arrived, 1) + 1 == worker->count) {
        atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
        /* No plain store: qemu lets the look at who sleeps overtake one. */
        atomic_fetch_add(&team->meeting, 1);
        wake(team, &team->sleepers);
    } else {
        wait_for(team, &team->sleepers, &team->meeting, meeting);
    }
}

/* Waits until the helper is called to a pass after `last`. False when the team ends. */
static bool next_pass(struct helper *helper, unsigned last)
{
    wait_for(helper->team, &helper->sleepers, &helper->passes, last);
    return atomic_load(&helper->passes) != last;
}

static void *help(void *argument)
{
    struct helper *helper = argument;
    struct team *team = helper->team;
    (void)float_mode_enter();
    atomic_fetch_sub(&helper->sleepers.count, 1);
    for (unsigned pass = 0; next_pass(helper, pass); pass++) {
        struct worker worker = {helper->index, running_threads(team), team};
        team->work(team->context, &worker);
        if (atomic_fetch_sub(&team->unfinished, 1) == 1)
            wake(team, &team->sleepers);
    }
    return NULL;
}

/* Of the first `threads` threads. */
static void wake_helpers(struct team *team, int32_t threads)
{
    for (int32_t i = 1; i < threads; i++)
        wake(team, &team->helpers[i].sleepers);
}

/* Ends those of the first `threads` threads. */
static void end_helpers(struct team *team, int32_t threads)
{
    pthread_mutex_lock(&team->mutex);
    team->ending = true;
    pthread_mutex_unlock(&team->mutex);
    wake_helpers(team, threads);
    for (int32_t i = 1; i < threads; i++)
        pthread_join(team->helpers[i].thread, NULL);
}

/* Signals for what a thread does itself: its faults, and its time, which profilers count. */
static const int own_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF};

/* 0, or the error of the first that could not be started, after the others have ended. */
static int start_helpers(struct team *team)
{
    /*
     * The application's signals are for its own threads; but where faults are blocked, its handlers
     * never know, and of the time that helpers take, profilers blame its threads.
     */
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own_signals / sizeof *own_signals; i++)
        sigdelset(&blocked, own_signals[i]);
    int error = pthread_sigmask(SIG_SETMASK, &blocked, &before);
    if (error)
        return error;
    int32_t started = 1;
    for (; !error && started < team->threads; started += !error) {
        struct helper *helper = &team->helpers[started];
        helper->team = team;
        helper->index = started;
        atomic_store(&helper->sleepers.count, 1);
        error = pthread_create(&helper->thread, NULL, help, helper);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        end_helpers(team, started);
    return error;
}

/* That this process descends from: one that began in a container may have its parent's number. */
static int32_t forks;
static pthread_once_t forks_counted = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    forks++;
}

/* Where there is no memory for it, the number of the process has to do. */
static void count_forks(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork);
}

/* Helpers of a parent process do not exist in its child, where one may seem to hold the mutex. */
static bool has_helpers(const struct team *team)
{
    return team->process == getpid() && team->forks == forks;
}

static void team_free(struct team *team)
{
    const mlstm_allocator allocator = team->allocator;
    /*
     * In a child process helpers still seem to wait for conditions, which could not be destroyed.
     */
    if (has_helpers(team)) {
        for (int32_t i = 1; i < team->threads; i++)
            pthread_cond_destroy(&team->helpers[i].sleepers.wake);
        pthread_cond_destroy(&team->sleepers.wake);
        pthread_mutex_destroy(&team->mutex);
    }
    release(&allocator, team->helpers);
    release(&allocator, team);
}

/* Those that the calling thread, and so its helpers, may run on. */
static int32_t count_processors(void)
{
#ifdef CPU_COUNT
    cpu_set_t own;
    if (sched_getaffinity(0, sizeof own, &own) == 0)
        return CPU_COUNT(&own);
#endif
#ifdef _SC_NPROCESSORS_ONLN
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    if (count > 0 && count < INT32_MAX)
        return (int32_t)count;
#endif
    return INT32_MAX;
}

mlstm_status team_create(const mlstm_allocator *allocator, int32_t threads, struct team **team)
{
    struct team *made = allocate(allocator, sizeof *made);
    struct helper *helpers = allocate(allocator, (size_t)threads * sizeof *helpers);
    if (!made || !helpers) {
        release(allocator, made);
        release(allocator, helpers);
        return fail(MLSTM_ERROR_OUT_OF_MEMORY, "mlstm_state_set_threads: no memory for %d threads",
                    threads);
    }
    made->allocator = *allocator;
    pthread_once(&forks_counted, count_forks);
    made->process = getpid();
    made->forks = forks;
    made->threads = threads;
    made->processors = count_processors();
    atomic_init(&made->running, threads);
    made->helpers = helpers;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->sleepers.wake, NULL);
    for (int32_t i = 1; i < threads; i++)
        pthread_cond_init(&helpers[i].sleepers.wake, NULL);
    const int error = start_helpers(made);
    if (error) {
        team_free(made);
        return fail(MLSTM_ERROR_SYSTEM,
                    "mlstm_state_set_threads: %d threads could not be started: error %d", threads,
                    error);
    }
    *team = made;
    return MLSTM_OK;
}

void team_destroy(struct team *team)
{
    if (!team)
        return;
    if (has_helpers(team))
        end_helpers(team, team->threads);
    team_free(team);
}

bool team_is_awake(const struct team *team, int32_t threads)
{
    for (int32_t i = 1; i < threads; i++)
        if (atomic_load(&team->helpers[i].sleepers.count) > 0)
            return false;
    return true;
}

void team_wake(struct team *team, int32_t threads)
{
    atomic_store_explicit(&team->running, threads, memory_order_relaxed);
    /* Crowded ones would sleep again before they are called. */
    if (has_helpers(team) && !is_crowded(team))
        wake_helpers(team, threads);
}

bool team_slept(struct team *team)
{
    atomic_bool *slept = &team->sleepers.slept;
    return atomic_load_explicit(slept, memory_order_relaxed) &&
           atomic_exchange_explicit(slept, false, memory_order_relaxed);
}

void team_run(struct team *team, int32_t threads,
              void (*work)(void *context, struct worker *worker), void *context)
{
    struct worker self = {0, 1, team};
    if (threads > 1 && has_helpers(team))
        self.count = threads < team->threads ? threads : team->threads;
    if (self.count == 1) {
        work(context, &self);
        return;
    }
    team->work = work;
    team->context = context;
    atomic_store_explicit(&team->running, self.count, memory_order_relaxed);
    atomic_store_explicit(&team->unfinished, (unsigned)self.count - 1, memory_order_relaxed);
    for (int32_t i = 1; i < self.count; i++)
        atomic_fetch_add(&team->helpers[i].passes, 1);
    wake_helpers(team, self.count);
    work(context, &self);
    /* Only the last helper wakes who sleeps. */
    for (unsigned left; (left = atomic_load(&team->unfinished)) > 0;)
        wait_for(team, &team->sleepers, &team->unfinished, left);
}

static struct range divide(int32_t count, int32_t index, int32_t parts)
{
    return (struct range){(int32_t)((int64_t)count * index / parts),
                          (int32_t)((int64_t)count * (index + 1) / parts)};
}

bool worker_rows(const struct worker *worker, int32_t rows, int32_t enough, struct range *row)
{
    *row = divide(rows, worker->index, worker->count);
    return rows / worker->count >= enough;
}

void worker_divide(const struct worker *worker, int32_t rows, int32_t items, struct range *row,
                   struct range *item)
{
    /* Of all ways to divide the grid the one with the smallest largest part, rows divided least. */
    int32_t best = 1;
    int64_t least = INT64_MAX;
    for (int32_t parts = 1; parts <= worker->count; parts++) {
        if (worker->count % parts != 0)
            continue;
        const int32_t others = worker->count / parts;
        const int64_t largest =
            (((int64_t)rows + parts - 1) / parts) * (((int64_t)items + others - 1) / others);
        if (largest < least) {
            least = largest;
            best = parts;
        }
    }
    *row = divide(rows, worker->index % best, best);
    *item = divide(items, worker->index / best, worker->count / best);
}
