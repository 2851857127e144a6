/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_H
#define SUPPORT_H

/* What the tests share: checks that explain themselves, random numbers, models, allocators. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mlstm/mlstm.h>

#include "reference.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Which sanitizer a test runs under; each forbids something. */
#if defined(__has_feature)
#define HAS_FEATURE(feature) __has_feature(feature)
#else
#define HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || HAS_FEATURE(thread_sanitizer)
#define THREAD_SANITIZER 1
#else
#define THREAD_SANITIZER 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer) || HAS_FEATURE(memory_sanitizer)
#define MEMORY_SANITIZER 1
#else
#define MEMORY_SANITIZER 0
#endif

/* And whether every step takes its time: then what only repeats is left out. */
#ifndef EMULATED
#define EMULATED 0
#endif
#define SLOW (MEMORY_SANITIZER || THREAD_SANITIZER || EMULATED)
#define MOST_THREADS (SLOW ? 2 : 3) /* where every case is tried with several */

/* What the library takes for the bytes of a core's two caches, in place of what the machine has. */
extern size_t level_bytes[2];
extern int32_t caches_change; /* 1: each time that it asks, from nothing to much and back */

/* Random numbers: the same for the same seed. */
struct random {
    uint64_t state;
};
float random_between(struct random *random, float a, float b);
int32_t random_integer(struct random *random, int32_t first, int32_t last);
void random_fill(struct random *random, float *values, size_t count, float a, float b);

/* Zeroed arrays, whose borders and whose release cmocka checks; free them with test_free. */
float *floats(size_t count);
float *random_floats(struct random *random, size_t count, float a, float b);

/* Checks. `what` names the thing in the failure's text. */
#define assert_ok(call) check_status((call), MLSTM_OK, #call, __FILE__, __LINE__)
#define assert_status(call, status) check_status((call), (status), #call, __FILE__, __LINE__)
#define assert_near(what, got, expected, count, tolerance)                                         \
    check_near(what, got, expected, count, tolerance, __FILE__, __LINE__)
#define assert_same_bits(what, got, expected, count)                                               \
    check_same_bits(what, got, expected, count, __FILE__, __LINE__)
void check_status(mlstm_status got, mlstm_status expected, const char *call, const char *file,
                  int line);
void check_near(const char *what, const float *got, const double *expected, size_t count,
                double tolerance, const char *file, int line);
void check_same_bits(const char *what, const float *got, const float *expected, size_t count,
                     const char *file, int line);

/* Says what the checks that follow are about, "" for nothing; one that fails prints it. */
void about(const char *what);
void print_about(void);

/* The largest absolute value, for tolerances that go with it. */
double largest(const double *values, size_t count);

/* A stack with the layers, their options, and the readout of a shape, all parameters 0. */
mlstm_stack *new_stack(const struct shape *shape);
mlstm_stack *new_stack_from(const struct shape *shape, const mlstm_allocator *allocator);

/* All parameters, or their gradients, or a slot of an optimizer, one after the other. */
void get_params(const mlstm_stack *stack, float *values);
void set_params(mlstm_stack *stack, const float *values);
void get_grads(const mlstm_stack *stack, const mlstm_grads *grads, float *values);
void set_grads(const mlstm_stack *stack, mlstm_grads *grads, const float *values);
void get_slot(const mlstm_stack *stack, const mlstm_optimizer *optimizer, const char *slot,
              float *values);
void set_slot(const mlstm_stack *stack, mlstm_optimizer *optimizer, const char *slot,
              const float *values);

/* A stack with random parameters, and a state and gradients for it; and what goes into a pass. */
struct model {
    struct shape shape;
    mlstm_stack *stack;
    mlstm_state *state;
    mlstm_grads *grads;
    float *params, *x, *initial_state, *dy, *dh_top, *dc_top, *dfinal_state;
};
struct model *new_model(const struct shape *shape, uint64_t seed);
void free_model(struct model *m);

/* Everything that a forward and a backward pass give. */
struct results {
    float *y, *h_top, *c_top, *final_state, *dparams, *dx, *dinitial_state;
};
struct results *new_results(const struct shape *shape);
void free_results(struct results *r);
/* Makes a state ready for the model's window: training, initial state, lengths. */
void begin_model(const struct model *m, mlstm_state *state);
/* From there over the whole window and back, with all gradients. */
void run_model(const struct model *m, mlstm_state *state, mlstm_grads *grads, struct results *out);
void assert_same_results(const struct shape *s, const struct results *got,
                         const struct results *expected);

/*
 * From here on the threads of a state share passes however small, at least the first 64 of each
 * kind: rows where each thread gets so many, or else panels.
 */
enum { BY_ROWS = 1, BY_PANELS = INT32_MAX };
void share_passes(mlstm_state *state, int32_t own_rows);
/* All of its threads have a part in a pass, as in those since they were set. */
void assert_shared(mlstm_state *state);
/* How many threads the last pass back went to. */
int32_t backward_threads(const mlstm_state *state);

/* The reference with the numbers of a model in it. */
struct reference *reference_of(const struct model *m);

/* An allocator that counts, and that gives nothing at the call numbered `fail_at` (from 1). */
struct counter {
    mlstm_allocator allocator;
    size_t calls, live, fail_at;
};
void counter_start(struct counter *counter);

#endif
