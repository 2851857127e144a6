/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <string.h>

#include "alloc.h"
#include "arrays.h"
#include "cache.h"
#include "junction.h"
#include "stack.h"
#include "status.h"

/*
 * Rows that pass through a layer together: enough to use each weight often while it is in cache, by
 * each thread where several divide the batch. States for streams stay small.
 */
#define CHUNK_ROWS 512
#define STREAM_ROWS 256

/*
 * Rows of the batch that a thread should have to take them alone: some, and more where weights come
 * from afar, one for so many that it reads at each step.
 */
#define OWN_ROWS 6
#define WEIGHTS_FOR_A_ROW 65536

#define MAX_THREADS 1024

/* Of all steps of a window: int32_t counts them, rounded up to whole tiles or threads, too. */
#define MAX_ROWS (INT32_MAX - MAX_THREADS)

static int32_t at_least_one(int32_t a)
{
    return a < 1 ? 1 : a;
}

/* A pass of so much work is worth waking threads for. */
#define WORTH_WAKING 2e6
/*
 * What n threads do between two meetings, divided by n * n: there is more for each, as more have to
 * meet.
 */
#define WORTH_MEETING 2.5e4

/* How many of the state's threads have enough to do. */
static int32_t pass_threads(const struct mlstm_state *state)
{
    /* By rows they do not meet at every step. */
    int32_t n = at_least_one(state->batch / state->own_rows);
    while (n < state->threads && (double)(n + 1) * (n + 1) * WORTH_MEETING <= state->recurrent_work)
        n++;
    return n < state->threads ? n : state->threads;
}

int32_t state_run_team(struct mlstm_state *state, struct pace *paces, int32_t steps,
                       void (*work)(void *context, struct worker *worker), void *context)
{
    const int32_t threads = pass_threads(state);
    if (threads == 1) {
        work(context, &(struct worker){.count = 1});
        return 1;
    }
    return pace_run(pace_of(paces, steps), state->team, threads, steps,
                    state->step_work * steps >= WORTH_WAKING, work, context);
}

/* In multiply-adds: a smaller pass is no work for several threads. */
#define WORTH_SHARING 200000

/* A pass is direct where no row has an end, all steps are of one chunk, and one thread takes it. */
void state_count_direct(struct mlstm_state *state)
{
    /* Whole numbers: see count_work. */
    const int64_t work = (int64_t)state->step_work;
    state->alone_steps =
        state->team && work > 0 ? (int32_t)((WORTH_SHARING - 1) / work) : INT32_MAX;
    const int64_t most = state->chunk < state->alone_steps ? state->chunk : state->alone_steps;
    const int64_t rows = state->limited ? 0 : most * state->batch;
    state->direct_rows = rows < state->plain_rows ? (int32_t)rows : state->plain_rows;
    state->single = state->window == 0 && state->batch <= state->direct_rows;
}

/*
 * The work of one step that threads can share, in multiply-adds: of all layers, and in the product
 * that each waits for. A small layer is one thread's. And the rows that make it worth a thread's
 * while to take them alone.
 */
static void count_work(struct mlstm_state *state)
{
    state->own_rows = OWN_ROWS;
    for (int32_t d = 0; d < state->layout->directions; d++) {
        const struct matrix *m = &state->layout->matrices[state->layout->direction[d].kernel];
        const double one_input = 4.0 * state->batch * m->units;
        const double recurrent = one_input * m->parts[PART_H].rows;
        if (m->panel_units < state->layout->kernels->width)
            continue;
        state->step_work += one_input * m->inputs;
        if (state->recurrent_work < recurrent)
            state->recurrent_work = recurrent;
    }
    /* Whole numbers: a division with a rest could trap in the caller's floating-point mode. */
    const int64_t rows = (int64_t)(state->recurrent_work / state->batch) / WEIGHTS_FOR_A_ROW;
    if (rows > OWN_ROWS)
        state->own_rows = (int32_t)rows;
}

static bool reads_backwards(const struct layout *layout)
{
    for (int32_t l = 0; l < layout->layers; l++)
        if (layout->layer[l].options.merge)
            return true;
    return false;
}

static const char no_memory[] = "mlstm_state_create: the allocator gave no memory";

/* Everything that a state holds but its team; NULL is left alone. */
static void release_parts(const struct mlstm_state *state)
{
    const mlstm_allocator *allocator = &state->layout->allocator;
    release(allocator, state->directions);
    release(allocator, state->junctions);
    release(allocator, state->records);
    release(allocator, state->ends);
    release(allocator, state->runs);
    release(allocator, state->arena);
}

/* Every other row of a chunk may have ended. */
static size_t run_limit(const struct mlstm_state *state)
{
    return ((size_t)state->chunk * (size_t)state->batch + 1) / 2;
}

/* The parts of `state`, whose sizes are set; those that were made stay there even on failure. */
static mlstm_status make_parts(struct mlstm_state *state, const struct mlstm_stack *stack)
{
    const struct layout *layout = state->layout;
    const mlstm_allocator *allocator = &layout->allocator;
    struct arena arena = {0};
    /* Once: another core may have others. */
    state->first_level = cache_bytes(1);
    state->second_level = cache_bytes(2);
    state->directions = allocate(allocator, (size_t)layout->directions * sizeof *state->directions);
    state->junctions = allocate(allocator, (size_t)layout->layers * sizeof *state->junctions);
    if (!state->directions || !state->junctions)
        return fail(MLSTM_ERROR_OUT_OF_MEMORY, "%s", no_memory);
    arrays_lay_out(state, stack, NULL, &arena);
    if (arena.overflow)
        return fail(MLSTM_ERROR_TOO_LARGE,
                    "mlstm_state_create: the record of batch %d and window %d cannot be addressed",
                    state->batch, state->window);
    state->ends = allocate(allocator, (size_t)state->batch * sizeof *state->ends);
    state->runs = allocate(allocator, run_limit(state) * sizeof *state->runs);
    state->records = allocate(allocator, arrays_record_limit(layout) * sizeof *state->records);
    if (!state->ends || !state->runs || !state->records)
        return fail(MLSTM_ERROR_OUT_OF_MEMORY, "%s", no_memory);
    state->arena = allocate(allocator, arena.count * sizeof *state->arena);
    if (!state->arena)
        return fail(MLSTM_ERROR_OUT_OF_MEMORY, "mlstm_state_create: no memory for %zu numbers",
                    arena.count);
    state->arena_count = arena.count;
    arena = (struct arena){0};
    arrays_lay_out(state, stack, state->arena, &arena);
    state_count_direct(state);
    /* Last, as it stays with the stack: nothing may fail after it. */
    return state->window > 0 ? stack_need_transposed(stack) : MLSTM_OK;
}

static mlstm_status create(const struct mlstm_state *sizes, const struct mlstm_stack *stack,
                           mlstm_state **state)
{
    const mlstm_allocator *allocator = &sizes->layout->allocator;
    mlstm_state *made = allocate(allocator, sizeof *made);
    if (!made)
        return fail(MLSTM_ERROR_OUT_OF_MEMORY, "%s", no_memory);
    *made = *sizes;
    const mlstm_status status = make_parts(made, stack);
    if (status != MLSTM_OK) {
        release_parts(made);
        release(allocator, made);
        return status;
    }
    layout_retain(made->layout);
    *state = made;
    return MLSTM_OK;
}

mlstm_status mlstm_state_create(const mlstm_stack *stack, int32_t batch, int32_t window,
                                mlstm_state **state)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(state);
    REQUIRE(batch >= 1, MLSTM_ERROR_INVALID_ARGUMENT, "batch must be at least 1, got %d", batch);
    REQUIRE(window >= 0, MLSTM_ERROR_INVALID_ARGUMENT, "window must be at least 0, got %d", window);
    REQUIRE(batch <= INT32_MAX / 8, MLSTM_ERROR_TOO_LARGE, "a batch of %d cannot be addressed",
            batch);
    REQUIRE(window <= MAX_ROWS / batch, MLSTM_ERROR_TOO_LARGE,
            "a window of %d steps of %d rows cannot be addressed", window, batch);
    struct layout *layout = stack->layout;
    const bool whole = reads_backwards(layout);
    REQUIRE(!whole || window > 0, MLSTM_ERROR_INVALID_ARGUMENT, "%s",
            "window must be at least 1 for a stack with a bidirectional layer");
    struct mlstm_state sizes = {.layout = layout,
                                .inputs = layout->layer[0].options.input,
                                .outputs = layout_outputs(layout),
                                .batch = batch,
                                .window = window,
                                .whole = whole,
                                .step_end = whole ? 0 : window > 0 ? window : INT32_MAX,
                                .threads = 1};
    const bool stream = window == 0 && batch < 2 * OWN_ROWS;
    const int32_t rows = at_least_one((stream ? STREAM_ROWS : CHUNK_ROWS) / batch);
    count_work(&sizes);
    sizes.chunk = whole || (window > 0 && window < rows) ? window : rows;
    sizes.slots = window > 0 ? window : rows > INFERENCE_STEPS ? rows : INFERENCE_STEPS;
    return create(&sizes, stack, state);
}

void mlstm_state_destroy(mlstm_state *state)
{
    if (!state)
        return;
    const mlstm_allocator allocator = state->layout->allocator;
    team_destroy(state->team);
    release_parts(state);
    layout_release(state->layout);
    release(&allocator, state);
}

mlstm_status mlstm_state_set_threads(mlstm_state *state, int32_t threads)
{
    REQUIRE_POINTER(state);
    REQUIRE(threads >= 1 && threads <= MAX_THREADS, MLSTM_ERROR_INVALID_ARGUMENT,
            "threads must be 1 to %d, got %d", MAX_THREADS, threads);
    struct team *team = NULL;
    if (threads > 1) {
        const mlstm_status status = team_create(&state->layout->allocator, threads, &team);
        if (status != MLSTM_OK)
            return status;
    }
    team_destroy(state->team);
    state->team = team;
    state->threads = threads;
    state_count_direct(state);
    memset(state->forward_paces, 0, sizeof state->forward_paces);
    memset(state->backward_paces, 0, sizeof state->backward_paces);
    state->backward_threads = threads;
    return MLSTM_OK;
}

int32_t mlstm_state_threads(const mlstm_state *state)
{
    return state ? state->threads : 0;
}

/* H and P of a direction. */
static int32_t cells(const struct mlstm_state *state, int32_t direction)
{
    return state->layout->matrices[state->layout->direction[direction].kernel].units;
}

static int32_t recurrent(const struct mlstm_state *state, int32_t direction)
{
    return state->layout->layer[state->layout->direction[direction].layer].recurrent;
}

size_t mlstm_state_size(const mlstm_state *state)
{
    size_t size = 0;
    for (int32_t d = 0; state && d < state->layout->directions; d++)
        size += (size_t)state->batch * ((size_t)cells(state, d) + (size_t)recurrent(state, d));
    return size;
}

int32_t mlstm_state_batch(const mlstm_state *state)
{
    return state ? state->batch : 0;
}

int32_t mlstm_state_window(const mlstm_state *state)
{
    return state ? state->window : 0;
}

int32_t mlstm_state_steps(const mlstm_state *state)
{
    return state && state->window > 0 ? state->position : 0;
}

size_t mlstm_state_bytes(const mlstm_state *state)
{
    if (!state)
        return 0;
    return sizeof *state + (size_t)state->layout->directions * sizeof *state->directions +
           (size_t)state->layout->layers * sizeof *state->junctions +
           arrays_record_limit(state->layout) * sizeof *state->records +
           (size_t)state->batch * sizeof *state->ends + run_limit(state) * sizeof *state->runs +
           state->arena_count * sizeof *state->arena;
}

/* Moves slots `shift` to `shift + keep` to the beginning; rows that have ended stay as they are. */
static void move_slots(const struct mlstm_state *state, int32_t shift, int32_t keep, float *values,
                       size_t row)
{
    const size_t slot = (size_t)state->batch * row;
    const size_t moved = ((size_t)keep + 1) * slot * sizeof *values;
    if (!state->limited) {
        memmove(values, values + (size_t)shift * slot, moved);
        return;
    }
    for (int32_t b = 0; b < state->batch; b++) {
        const int32_t from = state->ends[b] < shift ? state->ends[b] : shift;
        memmove(values + (size_t)b * row, values + (size_t)from * slot + (size_t)b * row,
                row * sizeof *values);
    }
    memmove(values + slot, values + ((size_t)shift + 1) * slot, moved - slot * sizeof *values);
}

void state_rewind(struct mlstm_state *state, int32_t keep)
{
    const int32_t shift = state->position - keep;
    if (shift <= 0)
        return;
    for (int32_t d = 0; d < state->layout->directions; d++) {
        struct direction_state *s = &state->directions[d];
        move_slots(state, shift, keep, s->c, s->row);
        move_slots(state, shift, keep, s->h, s->h_row);
    }
    for (int32_t i = 0; keep > 0 && i < state->record_count; i++) {
        const struct record *r = &state->records[i];
        for (int32_t p = 0; p < r->panels; p++) {
            float *values = r->values + (size_t)p * r->panel;
            memmove(values, values + (size_t)shift * r->step,
                    (size_t)keep * r->step * sizeof *values);
        }
    }
    for (int32_t b = 0; state->limited && b < state->batch; b++)
        state->ends[b] = state->ends[b] > shift ? state->ends[b] - shift : 0;
    state->step += (uint32_t)shift;
    state->position = keep;
    state->learned = false;
}

void state_find_runs(struct mlstm_state *state, int32_t first, int32_t steps)
{
    int32_t count = 0;
    for (int32_t row = 0; row < steps * state->batch; row++) {
        if (state->ends[row % state->batch] <= first + row / state->batch)
            continue;
        if (count > 0 && state->runs[count - 1].end == row)
            state->runs[count - 1].end++;
        else
            state->runs[count++] = (struct run){row, row + 1};
    }
    state->run_count = count;
}

void state_clear_ended(const struct mlstm_state *state, int32_t first, int32_t steps, float *values,
                       size_t row)
{
    for (int32_t b = 0; state->limited && b < state->batch; b++) {
        const int32_t begin = state->ends[b] > first ? state->ends[b] - first : 0;
        for (int32_t t = begin; t < steps; t++)
            memset(values + ((size_t)t * (size_t)state->batch + (size_t)b) * row, 0,
                   row * sizeof *values);
    }
}

static void begin_window(struct mlstm_state *state, int32_t keep)
{
    state_rewind(state, keep);
    state->backward_done = false;
    state->final_given = false;
}

/* As begin_window, where c and h are about to be replaced. */
static void begin_anew(struct mlstm_state *state)
{
    state->step += (uint32_t)state->position;
    state->position = 0;
    state->limited = false;
    state->learned = false;
    state_count_direct(state);
    begin_window(state, 0);
}

mlstm_status mlstm_state_begin_window(mlstm_state *state)
{
    REQUIRE_POINTER(state);
    begin_window(state, 0);
    return MLSTM_OK;
}

mlstm_status mlstm_state_keep_steps(mlstm_state *state, int32_t steps)
{
    REQUIRE_POINTER(state);
    REQUIRE(steps >= 0 && steps <= mlstm_state_steps(state), MLSTM_ERROR_INVALID_ARGUMENT,
            "steps must be 0 to %d, which are recorded, got %d", mlstm_state_steps(state), steps);
    REQUIRE(!state->whole || steps == 0, MLSTM_ERROR_ORDER, "%s",
            "a bidirectional layer reads whole windows: nothing of one can be kept");
    begin_window(state, steps);
    return MLSTM_OK;
}

mlstm_status mlstm_state_set_lengths(mlstm_state *state, const int32_t *lengths, size_t count)
{
    REQUIRE_POINTER(state);
    REQUIRE(mlstm_state_steps(state) == 0, MLSTM_ERROR_ORDER,
            "%d steps have been recorded since the window began", state->position);
    if (lengths)
        REQUIRE_COUNT(count, (size_t)state->batch);
    for (int32_t b = 0; lengths && b < state->batch; b++)
        REQUIRE(lengths[b] >= 0, MLSTM_ERROR_INVALID_ARGUMENT,
                "the length of row %d must be at least 0, got %d", b, lengths[b]);
    state_rewind(state, 0);
    state->limited = lengths != NULL;
    for (int32_t b = 0; lengths && b < state->batch; b++)
        state->ends[b] = lengths[b];
    state_count_direct(state);
    return MLSTM_OK;
}

mlstm_status mlstm_state_set_training(mlstm_state *state, int32_t training, uint64_t seed)
{
    REQUIRE_POINTER(state);
    REQUIRE(training == 0 || training == 1, MLSTM_ERROR_INVALID_ARGUMENT,
            "training must be 0 or 1, got %d", training);
    begin_window(state, 0);
    state->training = training != 0;
    state->key[0] = (uint32_t)seed;
    state->key[1] = (uint32_t)(seed >> 32);
    state->step = 0;
    return MLSTM_OK;
}

int32_t mlstm_state_training(const mlstm_state *state)
{
    return state && state->training;
}

/* Rows of `units` numbers from one distance to another. */
static void copy_rows(const float *from, size_t from_row, float *to, size_t to_row, int32_t rows,
                      int32_t units)
{
    for (int32_t r = 0; r < rows; r++)
        memcpy(to + (size_t)r * to_row, from + (size_t)r * from_row, (size_t)units * sizeof *from);
}

static void zero(struct mlstm_state *state)
{
    begin_anew(state);
    for (int32_t d = 0; d < state->layout->directions; d++) {
        struct direction_state *s = &state->directions[d];
        memset(s->c, 0, (size_t)state->batch * s->row * sizeof *s->c);
        memset(s->h, 0, (size_t)state->batch * s->h_row * sizeof *s->h);
    }
}

mlstm_status mlstm_state_zero(mlstm_state *state)
{
    REQUIRE_POINTER(state);
    zero(state);
    return MLSTM_OK;
}

/* A vector of parameters, which a matrix of its own holds, to all rows of slot 0. */
static void begin_with(const struct mlstm_stack *stack, int32_t matrix, float *to, size_t to_row,
                       int32_t rows)
{
    const struct matrix *m = &stack->layout->matrices[matrix];
    for (int32_t r = 0; r < rows; r++)
        memcpy(to + (size_t)r * to_row, stack->params + m->offset, (size_t)m->units * sizeof *to);
}

mlstm_status mlstm_state_begin_sequence(const mlstm_stack *stack, mlstm_state *state)
{
    REQUIRE_POINTER(stack);
    REQUIRE_POINTER(state);
    REQUIRE_SAME_STACK(state, stack, "state is");
    zero(state);
    for (int32_t i = 0; i < state->layout->directions; i++) {
        const struct direction *d = &state->layout->direction[i];
        struct direction_state *s = &state->directions[i];
        if (d->initial_c == NONE)
            continue;
        begin_with(stack, d->initial_c, s->c, s->row, state->batch);
        begin_with(stack, d->initial_h, s->h, s->h_row, state->batch);
        state->learned = true;
    }
    return MLSTM_OK;
}

/* Rows of the caller's into rows of slot 0, whose padding is made 0: NaN may have come there. */
static void set_rows(const float *from, int32_t units, float *to, size_t to_row, int32_t rows)
{
    memset(to, 0, (size_t)rows * to_row * sizeof *to);
    copy_rows(from, (size_t)units, to, to_row, rows, units);
}

/* One direction's c and h to slot 0, or from where they are now; NULL is left alone. */
static void set_direction(struct mlstm_state *state, int32_t direction, const float *c,
                          const float *h)
{
    struct direction_state *s = &state->directions[direction];
    if (c)
        set_rows(c, cells(state, direction), s->c, s->row, state->batch);
    if (h)
        set_rows(h, recurrent(state, direction), s->h, s->h_row, state->batch);
}

/* Each row as it is now, which is as it was at its end. */
static void get_rows(const struct mlstm_state *state, const float *from, size_t from_row, float *to,
                     int32_t units)
{
    for (int32_t b = 0; b < state->batch; b++) {
        const int32_t slot =
            state->limited && state->ends[b] < state->position ? state->ends[b] : state->position;
        memcpy(to + (size_t)b * (size_t)units,
               from + ((size_t)slot * (size_t)state->batch + (size_t)b) * from_row,
               (size_t)units * sizeof *to);
    }
}

static void get_direction(const struct mlstm_state *state, int32_t direction, float *c, float *h)
{
    const struct direction_state *s = &state->directions[direction];
    if (c)
        get_rows(state, s->c, s->row, c, cells(state, direction));
    if (h)
        get_rows(state, s->h, s->h_row, h, recurrent(state, direction));
}

/* Numbers of c, and of h, of one direction in the state tensor. */
static size_t c_size(const struct mlstm_state *state, int32_t direction)
{
    return (size_t)state->batch * (size_t)cells(state, direction);
}

static size_t h_size(const struct mlstm_state *state, int32_t direction)
{
    return (size_t)state->batch * (size_t)recurrent(state, direction);
}

/* Goes through the directions with `values` at the block of each in the state tensor. */
#define FOR_EACH_BLOCK(state, values)                                                              \
    for (int32_t d = 0; d < (state)->layout->directions;                                           \
         (values) += c_size(state, d) + h_size(state, d), d++)

mlstm_status mlstm_state_set(mlstm_state *state, const float *values, size_t count)
{
    REQUIRE_POINTER(state);
    REQUIRE_POINTER(values);
    REQUIRE_COUNT(count, mlstm_state_size(state));
    begin_anew(state);
    FOR_EACH_BLOCK (state, values)
        set_direction(state, d, values, values + c_size(state, d));
    return MLSTM_OK;
}

mlstm_status mlstm_state_get(const mlstm_state *state, float *values, size_t count)
{
    REQUIRE_POINTER(state);
    REQUIRE_POINTER(values);
    REQUIRE_COUNT(count, mlstm_state_size(state));
    FOR_EACH_BLOCK (state, values)
        get_direction(state, d, values, values + c_size(state, d));
    return MLSTM_OK;
}

#define REQUIRE_LAYER(state, layer)                                                                \
    REQUIRE((layer) >= 0 && (layer) < (state)->layout->layers, MLSTM_ERROR_INVALID_ARGUMENT,       \
            "layer must be 0 to %d, got %d", (state)->layout->layers - 1, layer)

mlstm_status mlstm_state_set_layer(mlstm_state *state, int32_t layer, const float *c,
                                   const float *h)
{
    REQUIRE_POINTER(state);
    REQUIRE_LAYER(state, layer);
    begin_window(state, 0);
    state->learned = false;
    const struct layer *l = &state->layout->layer[layer];
    for (int32_t d = l->first; d < l->first + l->directions; d++) {
        set_direction(state, d, c, h);
        c = c ? c + c_size(state, d) : NULL;
        h = h ? h + h_size(state, d) : NULL;
    }
    return MLSTM_OK;
}

mlstm_status mlstm_state_get_layer(const mlstm_state *state, int32_t layer, float *c, float *h)
{
    REQUIRE_POINTER(state);
    REQUIRE_LAYER(state, layer);
    const struct layer *l = &state->layout->layer[layer];
    for (int32_t d = l->first; d < l->first + l->directions; d++) {
        get_direction(state, d, c, h);
        c = c ? c + c_size(state, d) : NULL;
        h = h ? h + h_size(state, d) : NULL;
    }
    return MLSTM_OK;
}

mlstm_status mlstm_state_get_top(const mlstm_state *state, float *c, float *h)
{
    REQUIRE_POINTER(state);
    REQUIRE(mlstm_state_steps(state) > 0, MLSTM_ERROR_ORDER, "%s",
            "nothing is recorded since the window began");
    const int32_t layer = state->layout->layers - 1, rows = state->position * state->batch;
    const struct rows from_c = top_cells(state, 0);
    const struct rows from_h = junction_outputs(state, layer, 0);
    if (c)
        copy_rows(from_c.at, from_c.row, c, (size_t)layout_top(state->layout)->cells, rows,
                  layout_top(state->layout)->cells);
    if (h)
        copy_rows(from_h.at, from_h.row, h, (size_t)layout_top(state->layout)->outputs, rows,
                  layout_top(state->layout)->outputs);
    return MLSTM_OK;
}

mlstm_status mlstm_state_set_final_grad(mlstm_state *state, const float *values, size_t count)
{
    REQUIRE_POINTER(state);
    REQUIRE(state->window > 0, MLSTM_ERROR_ORDER, "%s", "the state is one for inference");
    if (!values) {
        state->final_given = false;
        return MLSTM_OK;
    }
    REQUIRE_COUNT(count, mlstm_state_size(state));
    FOR_EACH_BLOCK (state, values) {
        const struct direction_state *s = &state->directions[d];
        copy_rows(values, (size_t)cells(state, d), s->dc_final, s->carry_row, state->batch,
                  cells(state, d));
        copy_rows(values + c_size(state, d), (size_t)recurrent(state, d), s->dh_final,
                  s->h_carry_row, state->batch, recurrent(state, d));
    }
    state->final_given = true;
    return MLSTM_OK;
}

mlstm_status mlstm_state_get_initial_grad(const mlstm_state *state, float *values, size_t count)
{
    REQUIRE_POINTER(state);
    REQUIRE_POINTER(values);
    REQUIRE_COUNT(count, mlstm_state_size(state));
    REQUIRE(state->backward_done, MLSTM_ERROR_ORDER, "%s",
            "there was no backward pass since the window began");
    FOR_EACH_BLOCK (state, values) {
        const struct direction_state *s = &state->directions[d];
        copy_rows(s->dc_carry, s->carry_row, values, (size_t)cells(state, d), state->batch,
                  cells(state, d));
        copy_rows(s->dh_carry, s->h_carry_row, values + c_size(state, d),
                  (size_t)recurrent(state, d), state->batch, recurrent(state, d));
    }
    return MLSTM_OK;
}
