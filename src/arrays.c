/* SPDX-License-Identifier: MIT */
#include "arrays.h"

#include <assert.h>

#include "junction.h"

/* Multiply-adds of a pass that gains from a mode of the caller's, where that does. */
#define TRIED_WORK 131072

/* An arena on its way to be filled, or, without a base, to be measured. */
struct plan {
    struct mlstm_state *state;
    float *base;
    struct arena *arena;
};

static float *take(struct plan *plan, size_t a, size_t b, size_t c)
{
    const size_t at = arena_take(plan->arena, a, b, c);
    return plan->base ? plan->base + at : NULL;
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

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void add_record(struct mlstm_state *state, float *values, size_t step, int32_t panels,
                       size_t panel)
{
    if (state->records)
        state->records[state->record_count++] =
            (struct record){.values = values, .step = step, .panel = panel, .panels = panels};
}

/* [steps, B, row]. Vectors may reach beyond the last row. */
static float *take_batches(struct plan *plan, size_t steps, size_t row)
{
    const size_t beyond = (size_t)plan->state->layout->kernels->width;
    size_t rows;
    if (__builtin_mul_overflow(steps, (size_t)plan->state->batch, &rows) ||
        __builtin_add_overflow(rows, beyond, &rows))
        rows = SIZE_MAX;
    return take(plan, rows, row, 1);
}

/* The same, of which a window's steps begin with the first. */
static float *take_rows(struct plan *plan, int32_t steps, size_t row)
{
    float *values = take_batches(plan, (size_t)steps, row);
    add_record(plan->state, values, (size_t)plan->state->batch * row, 1, 0);
    return values;
}

/* [slots, B, row]. */
static float *take_slots(struct plan *plan, size_t row)
{
    return take_rows(plan, plan->state->slots, row);
}

/* [slots, B, row], or [B, row] where nothing is recorded. */
static float *take_steps(struct plan *plan, size_t row)
{
    return take_rows(plan, plan->state->window > 0 ? plan->state->slots : 1, row);
}

/* Panels as the gates: recorded, or of one chunk. */
static float *take_gates(struct plan *plan, const struct direction_state *s, const struct matrix *m)
{
    struct mlstm_state *state = plan->state;
    if (state->window == 0)
        return take(plan, state->chunk_rows, (size_t)m->panels, (size_t)m->width);
    float *values = take(plan, s->gates_panel, (size_t)m->panels, 1);
    add_record(state, values, s->gates_step, m->panels, s->gates_panel);
    return values;
}

static void lay_out_special(struct plan *plan, struct direction_state *s, const struct direction *d,
                            const struct options *o)
{
    const struct matrix *m = &plan->state->layout->matrices[d->kernel];
    s->step_rows = plan->state->window > 0 ? (size_t)plan->state->batch : 0;
    if (o->norm) {
        s->normal = take_gates(plan, s, m);
        s->normal_c = take_steps(plan, s->row);
        s->scales = take_steps(plan, SCALES);
    }
    if (o->norm == MLSTM_NORM_PRODUCTS)
        s->normal_h = take_gates(plan, s, m);
    if (o->zoneout_c > 0.0f)
        s->c_new = take_steps(plan, s->row);
    if (o->projection)
        s->unprojected = take_steps(plan, s->row);
    if (o->zoneout_h > 0.0f || o->projection_clip > 0.0f)
        s->h_new = take_steps(plan, s->h_row);
    if (o->recurrent_dropout > 0.0f && o->recurrent_what == MLSTM_DROP_HIDDEN)
        s->h_read = take_steps(plan, s->h_row);
    if (plan->state->window == 0)
        s->tanh_c = take_steps(plan, s->row);
}

static size_t weight_bytes(const struct matrix *m)
{
    return (size_t)m->panels * m->panel * sizeof(float);
}

/* So few rows use each weight once or twice whatever the order. */
#define FUSED_ROWS 4
/* Of x, so few that their product would take as long as writing and reading its result. */
#define FEW_INPUTS 8
/*
 * So many rows are worth reading weights from the second level in every step, if these take no more
 * than two thirds of it: other arrays pass through it too.
 */
#define FUSED_BATCH 12

/*
 * The most rows of a pass whose steps read x themselves. For more, x goes through one product of
 * all steps, which reads its weights once and not in every step, but leaves as much as the gates
 * to be read again.
 */
static int32_t fused_rows(const struct mlstm_state *state, const struct matrix *m)
{
    const size_t bytes = weight_bytes(m);
    const bool near = bytes <= state->first_level ||
                      (state->batch >= FUSED_BATCH && bytes <= state->second_level / 3 * 2);
    const int32_t inputs = m->parts[PART_X].rows, few = state->layout->kernels->few_units;
    const bool alone = state->batch == 1 && m->units <= few && inputs <= few;
    return near || alone || inputs <= FEW_INPUTS ? INT32_MAX : FUSED_ROWS;
}

/*
 * A step of one row goes through two panels together, whose activations then share their latency.
 * Where the first level of cache has no more than 32 KiB and holds about one of them and not both,
 * they go one by one, so that the next step, which comes back, finds the last one there: on Zen 4
 * 6 to 10 % faster. With 48 KiB, on Zen 5, that would cost up to a quarter.
 */
static int32_t panels_together(const struct mlstm_state *state, const struct matrix *m)
{
    const size_t level = state->first_level, panel = m->panel * sizeof(float);
    return level <= 32768 && 2 * panel > level && panel < level + level / 4 ? 1 : 2;
}

/* Where the first level has room for all, each step goes the way that hides the last one's end. */
static int32_t takes_turns(const struct mlstm_state *state, const struct matrix *m)
{
    return weight_bytes(m) > state->first_level / 4 * 3;
}

/* What the forward kernel is given at every step. */
static struct cell_forward describe_forward(const struct mlstm_state *state,
                                            const struct mlstm_stack *stack,
                                            const struct direction *d,
                                            const struct direction_state *s)
{
    const struct matrix *m = &state->layout->matrices[d->kernel];
    return (struct cell_forward){
        .kernel = stack->params + m->offset,
        .forget_bias = state->layout->layer[d->layer].options.forget_bias,
        .batch = state->batch,
        .input = m->parts[PART_X].rows,
        .hidden = m->units,
        .units = m->panel_units,
        .together = panels_together(state, m),
        .turns = takes_turns(state, m),
        .gates_panel = s->gates_panel,
        .row = s->row,
        .row_end = state->batch,
        .panel_end = m->panels,
    };
}

static void lay_out_direction(struct plan *plan, const struct mlstm_stack *stack, int32_t index)
{
    struct mlstm_state *state = plan->state;
    const struct layout *layout = state->layout;
    const struct direction *d = &layout->direction[index];
    const struct layer *layer = &layout->layer[d->layer];
    const struct matrix *m = &layout->matrices[d->kernel];
    struct direction_state *s = &state->directions[index];
    const size_t w = (size_t)layout->kernels->width;
    const size_t batch = (size_t)state->batch, slots = (size_t)state->slots;
    const size_t units = (size_t)m->panels * (size_t)m->panel_units;
    const size_t outputs = round_up((size_t)layer->recurrent, w);
    *s = (struct direction_state){.small = units < w};
    s->special = options_special(&layer->options);
    s->fused_rows = s->special ? FUSED_ROWS : s->small ? INT32_MAX : fused_rows(state, m);
    s->row = s->small ? units : spread_row(units);
    s->slot = batch * s->row;
    s->h_row = layer->options.projection ? spread_row(outputs) : s->row;
    s->h_slot = batch * s->h_row;
    s->carry_row = s->small ? units : round_up(units, 4 * w);
    s->h_carry_row = layer->options.projection ? round_up(outputs, 4 * w) : s->carry_row;
    s->gates_step = s->small ? round_up(batch * (size_t)m->width, 4 * w) : batch * (size_t)m->width;
    s->gates_panel = s->gates_step * slots + (size_t)m->width;
    s->c = take_batches(plan, slots + 1, s->row);
    s->h = take_batches(plan, slots + 1, s->h_row);
    s->forward = describe_forward(state, stack, d, s);
    if (state->window > 0) {
        s->gates = take_gates(plan, s, m);
        s->tanh_c = take_steps(plan, s->row);
        s->dc_final = take_batches(plan, 1, s->carry_row);
        s->dh_final = take_batches(plan, 1, s->h_carry_row);
        s->dc_carry = take_batches(plan, 1, s->carry_row);
        s->dh_carry = take_batches(plan, 1, s->h_carry_row);
    }
    if (s->special)
        lay_out_special(plan, s, d, &layer->options);
}

static void lay_out_junction(struct plan *plan, int32_t index)
{
    const struct layout *layout = plan->state->layout;
    const struct layer *layer = &layout->layer[index];
    const struct options *o = &layer->options;
    const size_t w = (size_t)layout->kernels->width;
    struct junction *j = &plan->state->junctions[index];
    *j = (struct junction){.joined = options_joined(o), .first = layer->first};
    j->in_row = round_up((size_t)o->input, w);
    j->out_row = round_up((size_t)layer->outputs, w);
    j->c_row = round_up((size_t)layer->cells, w);
    if (o->dropout > 0.0f)
        j->in = take_slots(plan, j->in_row);
    if (o->merge) {
        j->reversed = take_slots(plan, j->in_row);
        j->merged = take_slots(plan, j->out_row);
        if (index == layout->layers - 1)
            j->merged_c = take_slots(plan, j->c_row);
    }
    if (o->skip == MLSTM_SKIP_HIGHWAY)
        j->gate = take_slots(plan, j->out_row);
    if (o->skip)
        j->out = take_slots(plan, j->out_row);
}

/* The largest of what layers share. */
struct needs {
    bool joined, special, norm, apart;
    size_t row, panels, dy;
};

static struct needs add_up_needs(const struct layout *layout)
{
    const size_t w = (size_t)layout->kernels->width;
    const struct matrix *readout = layout_readout(layout);
    struct needs n = {.dy = readout ? (size_t)readout->panels * (size_t)readout->width : 0};
    for (int32_t i = 0; i < layout->directions; i++) {
        const struct direction *d = &layout->direction[i];
        const struct layer *layer = &layout->layer[d->layer];
        const struct options *o = &layer->options;
        const struct matrix *m = &layout->matrices[d->kernel];
        const size_t units = (size_t)m->panels * (size_t)m->panel_units;
        n.panels = larger(n.panels, 4 * units);
        n.row = larger(n.row, round_up(units, 4 * w));
        n.row = larger(n.row, round_up((size_t)layer->outputs, 4 * w));
        n.row = larger(n.row, round_up((size_t)layer->cells, 4 * w));
        n.joined = n.joined || options_joined(o);
        n.special = n.special || options_special(o);
        n.norm = n.norm || o->norm;
        n.apart = n.apart || o->norm == MLSTM_NORM_PRODUCTS;
        if (options_joined(o))
            n.row = larger(n.row, round_up((size_t)o->input, 4 * w));
        if (d->projection != NONE) {
            const struct matrix *p = &layout->matrices[d->projection];
            n.dy = larger(n.dy, (size_t)p->panels * (size_t)p->width);
        }
        if (layer->highway != NONE) {
            const struct matrix *p = &layout->matrices[layer->highway];
            n.dy = larger(n.dy, (size_t)p->panels * (size_t)p->width);
        }
    }
    return n;
}

static void lay_out_shared(struct plan *plan)
{
    struct mlstm_state *state = plan->state;
    const struct needs n = add_up_needs(state->layout);
    const size_t w = (size_t)state->layout->kernels->width;
    const size_t batch = (size_t)state->batch + w;
    const size_t chunk = (size_t)state->chunk * (size_t)state->batch + w;
    state->out_row = n.row;
    if (n.apart)
        state->sums = take(plan, batch, n.panels, 1);
    if (n.special) {
        state->keep_c = take(plan, batch, n.row, 1);
        state->keep_h = take(plan, batch, n.row, 1);
    }
    if (n.joined || n.special)
        state->drop = take(plan, batch, n.row, 1);
    if (state->window == 0) {
        if (state->plain_rows < INT32_MAX)
            state->preact = take(plan, state->chunk_rows, n.panels, 1);
        return;
    }
    state->x = take(plan, (size_t)state->slots, (size_t)state->batch, (size_t)state->inputs);
    add_record(state, state->x, (size_t)state->batch * (size_t)state->inputs, 1, 0);
    state->dh_out = take(plan, chunk, n.row, 1);
    state->dc_out = take(plan, chunk, n.row, 1);
    state->dgates = take(plan, state->chunk_rows, n.panels, 1);
    if (n.dy)
        state->dy = take(plan, state->chunk_rows, n.dy, 1);
    if (n.joined) {
        state->dh_part = take(plan, chunk, n.row, 1);
        state->dc_part = take(plan, chunk, n.row, 1);
        state->dskip = take(plan, chunk, n.row, 1);
        state->dx_part = take(plan, chunk, n.row, 1);
        state->dx_sum = take(plan, chunk, n.row, 1);
    }
    if (n.norm) {
        state->dinputs = take(plan, state->chunk_rows, n.panels, 1);
        state->dnormal_c = take(plan, chunk, n.row, 1);
    }
    if (n.apart)
        state->dsums = take(plan, state->chunk_rows, n.panels, 1);
    if (n.special) {
        state->dh_new = take(plan, batch, n.row, 1);
        state->dout = take(plan, batch, n.row, 1);
        state->dh_rest = take(plan, batch, n.row, 1);
        state->dh_sums = take(plan, batch, n.row, 1);
    }
}

/* c and h are two segments of one product where their rows are alike; otherwise h comes later. */
static void describe_readout(struct mlstm_state *state, const struct mlstm_stack *stack)
{
    const struct layout *layout = state->layout;
    const struct matrix *m = layout_readout(layout);
    if (!m)
        return;
    const struct part *c = &m->parts[PART_C], *h = &m->parts[PART_H];
    const struct rows cells = top_cells(state, 0);
    const struct rows outputs = junction_outputs(state, layout->layers - 1, 0);
    const bool with_c = layout->sources & MLSTM_READOUT_C;
    state->readout = (struct product){
        .a_row = with_c ? cells.row : outputs.row,
        .a_segment = outputs.at - cells.at,
        .segments = c->rows == h->rows && cells.row == outputs.row ? 2 : 1,
        .length = with_c ? c->rows : h->rows,
        .b = stack->params + m->offset + m->width,
        .b_panel = m->panel,
        .width = m->width,
        .init = PRODUCT_BIAS,
        .c_row = (size_t)m->units,
        .c_panel = (size_t)m->width,
        .columns = m->units,
        .few = state->batch <= FEW_ROWS,
        .panel_end = m->panels,
    };
}

/*
 * A slot whose vectors and those of slot 0 do not reach into each other: an odd one, so that steps
 * that go there and back take turns.
 */
static void find_away(struct mlstm_state *state)
{
    const size_t w = (size_t)state->layout->kernels->width;
    state->away = 1;
    for (int32_t d = 0; d < state->layout->directions; d++) {
        const size_t slot = state->directions[d].slot;
        const int32_t apart = (int32_t)(round_up(slot, w) / slot) | 1;
        state->away = apart > state->away ? apart : state->away;
    }
}

/* Single steps of inference, from slot 0 to `away` and back. */
static void place_single(const struct mlstm_state *state)
{
    for (int32_t back = 0; back < 2; back++) {
        const int32_t at = back ? state->away : 0;
        const float *x = NULL;
        size_t x_row = (size_t)state->inputs;
        for (int32_t d = 0; d < state->layout->directions; d++) {
            struct direction_state *s = &state->directions[d];
            struct cell_forward *step = &s->single[back];
            *step = s->forward;
            place_steps(step, s, at, state->away - at, 1);
            step->x = x;
            step->x_row = x_row;
            s->step = state->layout->kernels->choose_step(step);
            x = step->h_next;
            x_row = s->h_row;
        }
    }
}

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

void arrays_lay_out(struct mlstm_state *state, const struct mlstm_stack *stack, float *base,
                    struct arena *arena)
{
    struct plan plan = {state, base, arena};
    state->chunk_rows = (size_t)state->chunk * (size_t)state->batch + 1;
    state->record_count = 0;
    state->plain_rows = INT32_MAX;
    state->rows_apart = true;
    for (int32_t d = 0; d < state->layout->directions; d++) {
        lay_out_direction(&plan, stack, d);
        const struct direction_state *s = &state->directions[d];
        state->plain_rows = smaller(state->plain_rows, s->special ? 0 : s->fused_rows);
        state->rows_apart = state->rows_apart && !s->small;
    }
    for (int32_t l = 0; l < state->layout->layers; l++) {
        lay_out_junction(&plan, l);
        if (state->junctions[l].joined)
            state->plain_rows = 0;
    }
    state->rows_apart = state->rows_apart && state->plain_rows > 0;
    state->tried_rows = (int32_t)(TRIED_WORK / state->layout->count);
    state->cell_writes_y = state->batch == 1 && state->layout->readout == NONE;
    lay_out_shared(&plan);
    if (base) {
        if (state->window == 0) {
            find_away(state);
            place_single(state);
        }
        describe_readout(state, stack);
    }
    assert((size_t)state->record_count <= arrays_record_limit(state->layout));
}

/* Of a direction gates, tanh_c and what lay_out_special takes; of a layer lay_out_junction's. */
enum { DIRECTION_RECORDS = 10, LAYER_RECORDS = 6 };

size_t arrays_record_limit(const struct layout *layout)
{
    return DIRECTION_RECORDS * (size_t)layout->directions + LAYER_RECORDS * (size_t)layout->layers +
           1;
}
