/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <string.h>

#include "alloc.h"
#include "stack.h"
#include "status.h"

/* Rows that pass through a layer together: enough to use each weight often while it is in cache. */
#define RECORD_ROWS 512
#define INFERENCE_ROWS 256

/* A state for inference moves through this many slots before it goes back to the first. */
#define INFERENCE_STEPS 8

#define MAX_THREADS 1024

const char foreign_state[] =
    "the state is of another stack, or of this one before it got its readout";

/* How many threads are worth waking for so many steps. */
static int32_t pass_threads(const struct mlstm_state *state, int32_t steps)
{
    /* In multiply-adds: what must be done in a pass, and by each thread between two meetings. */
    const double per_pass = 2e6, per_meeting = 1.2e5;
    double recurrent = 0.0, all = 0.0;
    for (int32_t l = 0; l < state->layout->layers; l++) {
        const struct matrix *m = &state->layout->matrices[l];
        const double one_input = 4.0 * state->batch * m->units;
        recurrent = one_input * m->units > recurrent ? one_input * m->units : recurrent;
        all += one_input * m->inputs * steps;
    }
    if (all < per_pass)
        return 1;
    /* By rows they do not meet at every step. */
    const int32_t by_rows = state->batch / OWN_ROWS;
    const int32_t most = recurrent / per_meeting > (double)by_rows
                             ? (int32_t)(recurrent / per_meeting)
                             : by_rows;
    return most < 1 ? 1 : most < state->threads ? most : state->threads;
}

void state_run(struct mlstm_state *state, int32_t steps,
               void (*work)(void *context, struct worker *worker), void *context)
{
    if (state->team)
        team_run(state->team, pass_threads(state, steps), work, context);
    else
        work(context, &(struct worker){.count = 1});
}

static size_t round_up(size_t a, size_t b)
{
    return (a + b - 1) / b * b;
}

/* Rows of c and h a multiple of 4 KiB apart would all compete for the same lines of the cache. */
static size_t spread_row(size_t row)
{
    return row % 256 == 0 ? row + 16 : row;
}

/* Where every array lies in the arena; with `base` NULL only their sizes are added up. */
static void lay_out(struct mlstm_state *state, const struct mlstm_stack *stack, float *base,
                    struct arena *arena)
{
    const struct layout *layout = state->layout;
    const size_t w = (size_t)layout->kernels->width;
    const size_t batch = (size_t)state->batch, slots = (size_t)state->slots;
    const bool records = state->window > 0;
    const struct matrix *readout = layout_readout(layout);
    size_t panels = 0, widest = 0;

#define TAKE(a, b, c) (base ? base + arena_take(arena, a, b, c) : (arena_take(arena, a, b, c), NULL))
    for (int32_t l = 0; l < layout->layers; l++) {
        const struct matrix *m = &layout->matrices[l];
        struct layer_state *s = &state->layers[l];
        const size_t units = (size_t)m->panels * (size_t)m->panel_units;
        const size_t wide = round_up(units, 4 * w);
        s->small = units < w;
        s->row = s->small ? units : spread_row(units);
        s->slot = batch * s->row;
        s->carry_row = s->small ? units : wide;
        s->gates_step = s->small ? round_up(batch * (size_t)m->width, 4 * w) : batch * (size_t)m->width;
        s->gates_panel = s->gates_step * slots + (size_t)m->width;
        if (wide > widest)
            widest = wide;
        if (units * 4 > panels)
            panels = units * 4;
        /* Vectors that begin in the last row may reach beyond it. */
        s->c = TAKE(slots * batch + batch + w, s->row, 1);
        s->h = TAKE(slots * batch + batch + w, s->row, 1);
        s->forward = (struct cell_forward){
            .kernel = stack->params + m->offset,
            .forget_bias = stack->cells[l]->forget_bias,
            .batch = state->batch,
            .input = m->parts[PART_X].rows,
            .hidden = m->units,
            .units = m->panel_units,
            .gates_panel = s->gates_panel,
            .row = s->row,
            .row_end = state->batch,
            .panel_end = m->panels,
        };
        if (!records)
            continue;
        s->gates = TAKE(s->gates_panel, (size_t)m->panels, 1);
        s->tanh_c = TAKE(slots * batch + w, s->row, 1);
        s->dc_final = TAKE(batch + w, s->carry_row, 1);
        s->dh_final = TAKE(batch + w, s->carry_row, 1);
        s->dc_carry = TAKE(batch + w, s->carry_row, 1);
        s->dh_carry = TAKE(batch + w, s->carry_row, 1);
    }
    const size_t chunk = (size_t)state->chunk * batch;
    state->chunk_rows = chunk + 1;
    if (records) {
        state->x = TAKE(slots, batch, (size_t)layout->matrices[0].parts[PART_X].rows);
        state->out_row = widest;
        state->dh_out = TAKE(chunk + w, widest, 1);
        state->dc_out = TAKE(chunk + w, widest, 1);
        state->dgates = TAKE(state->chunk_rows, panels, 1);
        if (readout)
            state->dy = TAKE(state->chunk_rows, (size_t)readout->panels, (size_t)readout->width);
    } else {
        state->preact = TAKE(state->chunk_rows, panels, 1);
    }
#undef TAKE
}

static int32_t at_least_one(int32_t a)
{
    return a < 1 ? 1 : a;
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
    struct layout *layout = stack->layout;
    struct mlstm_state sizes = {.layout = layout,
                                .inputs = layout->matrices[0].parts[PART_X].rows,
                                .outputs = layout_outputs(layout),
                                .batch = batch,
                                .window = window,
                                .threads = 1};
    const int32_t rows = at_least_one((window > 0 ? RECORD_ROWS : INFERENCE_ROWS) / batch);
    sizes.chunk = window > 0 && window < rows ? window : rows;
    sizes.slots = window > 0              ? window
                  : rows > INFERENCE_STEPS ? rows
                                           : INFERENCE_STEPS;

    struct layer_state *layers =
        allocate(&layout->allocator, (size_t)layout->layers * sizeof *layers);
    REQUIRE_MEMORY(layers);
    struct arena arena = {0};
    sizes.layers = layers;
    lay_out(&sizes, stack, NULL, &arena);
    mlstm_status status = MLSTM_OK;
    if (arena.overflow)
        status = fail(MLSTM_ERROR_TOO_LARGE,
                      "%s: the record of batch %d and window %d cannot be addressed", __func__,
                      batch, window);
    if (status == MLSTM_OK && window > 0)
        status = stack_need_transposed(stack);
    struct mlstm_state *made = NULL;
    if (status == MLSTM_OK) {
        made = allocate(&layout->allocator, sizeof *made);
        sizes.arena = allocate(&layout->allocator, arena.count * sizeof(float));
        if (!made || !sizes.arena)
            status = fail(MLSTM_ERROR_OUT_OF_MEMORY, "%s: no memory for %zu numbers", __func__,
                          arena.count);
    }
    if (status != MLSTM_OK) {
        release(&layout->allocator, layers);
        release(&layout->allocator, made);
        release(&layout->allocator, sizes.arena);
        return status;
    }
    sizes.arena_count = arena.count;
    arena = (struct arena){0};
    lay_out(&sizes, stack, sizes.arena, &arena);
    *made = sizes;
    layout_retain(layout);
    *state = made;
    return MLSTM_OK;
}

void mlstm_state_destroy(mlstm_state *state)
{
    if (!state)
        return;
    const mlstm_allocator allocator = state->layout->allocator;
    team_destroy(state->team);
    layout_release(state->layout);
    release(&allocator, state->layers);
    release(&allocator, state->arena);
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
    return MLSTM_OK;
}

int32_t mlstm_state_threads(const mlstm_state *state)
{
    return state ? state->threads : 0;
}

size_t mlstm_state_size(const mlstm_state *state)
{
    size_t size = 0;
    for (int32_t l = 0; state && l < state->layout->layers; l++)
        size += 2 * (size_t)state->batch * (size_t)state->layout->matrices[l].units;
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
    return state ? sizeof *state + (size_t)state->layout->layers * sizeof *state->layers +
                       state->arena_count * sizeof *state->arena
                 : 0;
}

/* Makes the current slot slot 0. */
static void rewind_slots(struct mlstm_state *state)
{
    for (int32_t l = 0; l < state->layout->layers && state->position > 0; l++) {
        struct layer_state *s = &state->layers[l];
        const size_t size = (size_t)state->batch * s->row;
        memcpy(s->c, s->c + (size_t)state->position * size, size * sizeof *s->c);
        memcpy(s->h, s->h + (size_t)state->position * size, size * sizeof *s->h);
    }
    state->position = 0;
}

void state_make_room(struct mlstm_state *state, int32_t steps)
{
    if (state->position >= INFERENCE_STEPS || state->position + steps > state->slots)
        rewind_slots(state);
}

static void begin_window(struct mlstm_state *state)
{
    rewind_slots(state);
    state->backward_done = false;
    state->final_given = false;
}

mlstm_status mlstm_state_begin_window(mlstm_state *state)
{
    REQUIRE_POINTER(state);
    begin_window(state);
    return MLSTM_OK;
}

/* Rows of `units` numbers from one distance to another. */
static void copy_rows(const float *from, size_t from_row, float *to, size_t to_row, int32_t rows,
                      int32_t units)
{
    for (int32_t r = 0; r < rows; r++)
        memcpy(to + (size_t)r * to_row, from + (size_t)r * from_row,
               (size_t)units * sizeof *from);
}

mlstm_status mlstm_state_zero(mlstm_state *state)
{
    REQUIRE_POINTER(state);
    state->position = 0;
    begin_window(state);
    for (int32_t l = 0; l < state->layout->layers; l++) {
        struct layer_state *s = &state->layers[l];
        const size_t size = (size_t)state->batch * s->row * sizeof *s->c;
        memset(s->c, 0, size);
        memset(s->h, 0, size);
    }
    return MLSTM_OK;
}

/* Rows of the caller's into rows of slot 0, whose padding is made 0 again: NaN may have come there. */
static void set_rows(const float *from, int32_t units, float *to, size_t to_row, int32_t rows)
{
    memset(to, 0, (size_t)rows * to_row * sizeof *to);
    copy_rows(from, (size_t)units, to, to_row, rows, units);
}

/* One layer's `[B,H]` to slot 0, or from the current one; NULL is left alone. */
static void set_layer(struct mlstm_state *state, int32_t layer, const float *c, const float *h)
{
    struct layer_state *s = &state->layers[layer];
    const int32_t units = state->layout->matrices[layer].units;
    if (c)
        set_rows(c, units, s->c, s->row, state->batch);
    if (h)
        set_rows(h, units, s->h, s->row, state->batch);
}

static void get_layer(const struct mlstm_state *state, int32_t layer, float *c, float *h)
{
    const struct layer_state *s = &state->layers[layer];
    const int32_t units = state->layout->matrices[layer].units;
    const size_t now = (size_t)state->position * (size_t)state->batch * s->row;
    if (c)
        copy_rows(s->c + now, s->row, c, (size_t)units, state->batch, units);
    if (h)
        copy_rows(s->h + now, s->row, h, (size_t)units, state->batch, units);
}

/* Numbers of c, or of h, of one layer in the state tensor. */
static size_t half_size(const struct mlstm_state *state, int32_t layer)
{
    return (size_t)state->batch * (size_t)state->layout->matrices[layer].units;
}

mlstm_status mlstm_state_set(mlstm_state *state, const float *values, size_t count)
{
    REQUIRE_POINTER(state);
    REQUIRE_POINTER(values);
    REQUIRE_COUNT(count, mlstm_state_size(state));
    state->position = 0;
    begin_window(state);
    for (int32_t l = 0; l < state->layout->layers; values += 2 * half_size(state, l), l++)
        set_layer(state, l, values, values + half_size(state, l));
    return MLSTM_OK;
}

mlstm_status mlstm_state_get(const mlstm_state *state, float *values, size_t count)
{
    REQUIRE_POINTER(state);
    REQUIRE_POINTER(values);
    REQUIRE_COUNT(count, mlstm_state_size(state));
    for (int32_t l = 0; l < state->layout->layers; values += 2 * half_size(state, l), l++)
        get_layer(state, l, values, values + half_size(state, l));
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
    begin_window(state);
    set_layer(state, layer, c, h);
    return MLSTM_OK;
}

mlstm_status mlstm_state_get_layer(const mlstm_state *state, int32_t layer, float *c, float *h)
{
    REQUIRE_POINTER(state);
    REQUIRE_LAYER(state, layer);
    get_layer(state, layer, c, h);
    return MLSTM_OK;
}

mlstm_status mlstm_state_get_top(const mlstm_state *state, float *c, float *h)
{
    REQUIRE_POINTER(state);
    REQUIRE(mlstm_state_steps(state) > 0, MLSTM_ERROR_ORDER, "%s",
            "nothing is recorded since the window began");
    const struct layer_state *top = &state->layers[state->layout->layers - 1];
    const int32_t units = state->layout->matrices[state->layout->layers - 1].units;
    const size_t first = (size_t)state->batch * top->row;
    for (int32_t t = 0; t < state->position; t++) {
        const size_t from = first * (size_t)(t + 1);
        const size_t to = (size_t)t * (size_t)state->batch * (size_t)units;
        if (c)
            copy_rows(top->c + from, top->row, c + to, (size_t)units, state->batch, units);
        if (h)
            copy_rows(top->h + from, top->row, h + to, (size_t)units, state->batch, units);
    }
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
    for (int32_t l = 0; l < state->layout->layers; values += 2 * half_size(state, l), l++) {
        struct layer_state *s = &state->layers[l];
        const int32_t units = state->layout->matrices[l].units;
        copy_rows(values, (size_t)units, s->dc_final, s->carry_row, state->batch, units);
        copy_rows(values + half_size(state, l), (size_t)units, s->dh_final, s->carry_row,
                  state->batch, units);
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
    for (int32_t l = 0; l < state->layout->layers; values += 2 * half_size(state, l), l++) {
        const struct layer_state *s = &state->layers[l];
        const int32_t units = state->layout->matrices[l].units;
        copy_rows(s->dc_carry, s->carry_row, values, (size_t)units, state->batch, units);
        copy_rows(s->dh_carry, s->carry_row, values + half_size(state, l), (size_t)units,
                  state->batch, units);
    }
    return MLSTM_OK;
}
