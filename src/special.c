/* SPDX-License-Identifier: MIT */
#include "special.h"

#include <string.h>

#include "draw.h"
#include "products.h"

/* One direction of a special layer, for one worker, on its way through the steps of a chunk. */
struct walk {
    const struct mlstm_stack *stack;
    const struct mlstm_state *state;
    const struct direction *d;
    const struct options *options;
    const struct direction_state *s;
    const struct matrix *kernel, *projection;
    struct worker *worker;
    /* Its rows, which it takes through all steps alone, or in turn with the others. */
    struct range row;
    bool alone;
};

static struct walk begin_walk(const struct mlstm_stack *stack, const struct mlstm_state *state,
                              int32_t direction, struct worker *worker)
{
    const struct layout *layout = state->layout;
    const struct direction *d = &layout->direction[direction];
    struct range row = {0, state->batch};
    const bool alone = worker->count == 1 || takes_own_rows(worker, state, &row);
    return (struct walk){
        .stack = stack,
        .state = state,
        .d = d,
        .options = &layout->layer[d->layer].options,
        .s = &state->directions[direction],
        .kernel = &layout->matrices[d->kernel],
        .projection = d->projection == NONE ? NULL : &layout->matrices[d->projection],
        .worker = worker,
        .row = alone ? row : worker_items(worker, state->batch),
        .alone = alone,
    };
}

static void wait_for_others(const struct walk *w)
{
    if (!w->alone)
        worker_wait(w->worker);
}

/* This worker's part of a product over the batch. */
static struct grid product_panels(const struct walk *w, const struct matrix *m)
{
    return w->alone ? (struct grid){.row = w->row, .panel = {0, m->panels}}
                    : share_panels(w->worker, m, w->state->batch);
}

static struct grid product_blocks(const struct walk *w, const struct part *part)
{
    return w->alone ? (struct grid){.row = w->row, .panel = {0, part->blocks}}
                    : share_blocks(w->worker, part, w->state->batch);
}

/* An array of a step in the record, or of the only one. */
static float *step_of(const struct walk *w, float *values, size_t row, int32_t slot)
{
    return values ? values + (size_t)slot * w->s->step_rows * row : NULL;
}

static float *slot_of(const struct walk *w, float *values, size_t row, int32_t slot)
{
    return values + (size_t)slot * (size_t)w->state->batch * row;
}

/* Panels of step t of the chunk, which is step `slot` of the window. */
static float *panels_of(const struct walk *w, float *values, int32_t slot, int32_t t)
{
    if (!values)
        return NULL;
    return values + (size_t)(w->state->window > 0 ? slot : t) * w->s->gates_step;
}

static struct rows rows_from(const float *values, size_t row, int32_t first)
{
    return (struct rows){values ? values + (size_t)first * row : NULL, row};
}

/* h of a step before it is clipped or kept by zoneout. */
static float *new_h(const struct walk *w, int32_t slot)
{
    return w->s->h_new ? step_of(w, w->s->h_new, w->s->h_row, slot)
                       : slot_of(w, w->s->h, w->s->h_row, slot + 1);
}

static bool drops(const struct walk *w, int32_t what)
{
    return w->state->training && w->options->recurrent_dropout > 0.0f &&
           w->options->recurrent_what == what;
}

static void draw(const struct walk *w, int32_t use, int32_t slot, float rate, float chosen,
                 float other, int32_t units, float *out)
{
    draw_mask(w->state, w->d->layer, w->d->reverse, use, slot,
              (struct mask){.out = out,
                            .units = units,
                            .row_begin = w->row.begin,
                            .row_end = w->row.end,
                            .rate = rate,
                            .chosen = chosen,
                            .other = other});
}

/* What zoneout keeps of a state: each number or nothing of it, or, without training, its rate. */
static void draw_zoneout(const struct walk *w, int32_t use, int32_t slot, float rate, int32_t units,
                         float *out)
{
    const bool training = w->state->training;
    draw(w, use, slot, training ? rate : 1.0f, training ? 1.0f : rate, 0.0f, units, out);
}

/* The masks of one step for this worker's rows. Those of a sequence stay from its first one. */
static void draw_masks(const struct walk *w, int32_t slot, bool first)
{
    const struct options *o = w->options;
    const bool training = w->state->training, sequence = o->recurrent_mask == MLSTM_MASK_SEQUENCE;
    if (training && o->recurrent_dropout > 0.0f && (first || !sequence))
        draw(w, MASK_RECURRENT, sequence ? ALL_SLOTS : slot, o->recurrent_dropout, 0.0f,
             1.0f / (1.0f - o->recurrent_dropout),
             o->recurrent_what == MLSTM_DROP_HIDDEN ? options_recurrent(o) : o->hidden,
             w->state->drop);
    if (o->zoneout_c > 0.0f && (first || training))
        draw_zoneout(w, MASK_ZONEOUT_C, slot, o->zoneout_c, o->hidden, w->state->keep_c);
    if (o->zoneout_h > 0.0f && (first || training))
        draw_zoneout(w, MASK_ZONEOUT_H, slot, o->zoneout_h, options_recurrent(o), w->state->keep_h);
}

/*
 * What the kernels are given for a step. Masks lie in rows of `out_row`, as everything of one step
 * does.
 */
static struct special describe(const struct walk *w, int32_t slot, int32_t t)
{
    const struct mlstm_state *state = w->state;
    const struct direction *d = w->d;
    const struct direction_state *s = w->s;
    const struct matrix *m = w->kernel;
    const struct matrix *vectors = d->vectors == NONE ? NULL : &state->layout->matrices[d->vectors];
    const size_t width = (size_t)m->width;
    const float *params = w->stack->params;
    float *c_next = slot_of(w, s->c, s->row, slot + 1);
    return (struct special){
        .units = m->units,
        .panels = m->panels,
        .keep = matrix_keep(m),
        .forget_bias = w->options->forget_bias,
        .cell_clip = w->options->cell_clip,
        .epsilon = w->options->epsilon,
        .coupled = w->options->coupled,
        .bias = params + m->offset,
        .bias_panel = m->panel,
        .vectors = vectors ? params + vectors->offset : NULL,
        .vectors_panel = vectors ? vectors->panel : 0,
        .peephole = d->peephole,
        .gain = d->gain,
        .gain_h = d->gain_h,
        .norm_c = d->norm_c,
        .norm_c_apart = w->options->norm == MLSTM_NORM_PRODUCTS,
        .gates = panels_of(w, s->gates ? s->gates : state->preact, slot, t),
        .gates_panel = s->gates ? s->gates_panel : state->chunk_rows * width,
        .sums = state->sums,
        .sums_panel = (size_t)state->batch * width,
        .normal = panels_of(w, s->normal, slot, t),
        .normal_h = panels_of(w, s->normal_h, slot, t),
        .normal_c = step_of(w, s->normal_c, s->row, slot),
        .scales = step_of(w, s->scales, SCALES, slot),
        .c = slot_of(w, s->c, s->row, slot),
        .c_new = s->c_new ? step_of(w, s->c_new, s->row, slot) : c_next,
        .c_next = c_next,
        .tanh_c = step_of(w, s->tanh_c, s->row, slot),
        .out = s->unprojected ? step_of(w, s->unprojected, s->row, slot) : new_h(w, slot),
        .row = s->row,
        .drop = drops(w, MLSTM_DROP_CANDIDATE) ? state->drop : NULL,
        .keep_c = s->c_new ? state->keep_c : NULL,
        .mask_row = state->out_row,
    };
}

/* h as the recurrent kernel reads it at a step. */
static struct rows recurrent_input(const struct walk *w, int32_t slot)
{
    const struct direction_state *s = w->s;
    if (drops(w, MLSTM_DROP_HIDDEN))
        return rows_from(step_of(w, s->h_read, s->h_row, slot), s->h_row, 0);
    return rows_from(slot_of(w, s->h, s->h_row, slot), s->h_row, 0);
}

struct rows special_recurrent_input(const struct mlstm_state *state, int32_t direction,
                                    int32_t slot)
{
    const struct layout *layout = state->layout;
    const struct walk w = {
        .state = state,
        .options = &layout->layer[layout->direction[direction].layer].options,
        .s = &state->directions[direction],
    };
    return recurrent_input(&w, slot);
}

static void drop_hidden(const struct walk *w, int32_t slot)
{
    const struct direction_state *s = w->s;
    const size_t first = (size_t)w->row.begin;
    const struct rows none = {NULL, 0};
    if (!drops(w, MLSTM_DROP_HIDDEN))
        return;
    w->state->layout->kernels->mix(
        rows_from(slot_of(w, s->h, s->h_row, slot), s->h_row, w->row.begin),
        rows_from(w->state->drop, w->state->out_row, w->row.begin), none,
        step_of(w, s->h_read, s->h_row, slot) + first * s->h_row, s->h_row,
        w->row.end - w->row.begin, options_recurrent(w->options));
}

/* h after clip and zoneout, for a run of rows. */
static void settle_hidden(const struct walk *w, int32_t slot, struct range run)
{
    const struct direction_state *s = w->s;
    const struct kernels *kernels = w->state->layout->kernels;
    const int32_t rows = run.end - run.begin, units = options_recurrent(w->options);
    const struct rows none = {NULL, 0};
    if (!s->h_new)
        return;
    float *h_new = new_h(w, slot) + (size_t)run.begin * s->h_row;
    float *h_next = slot_of(w, s->h, s->h_row, slot + 1) + (size_t)run.begin * s->h_row;
    if (w->options->projection_clip > 0.0f)
        kernels->clip(h_new, (size_t)rows * s->h_row, w->options->projection_clip);
    if (w->options->zoneout_h > 0.0f)
        kernels->blend(rows_from(w->state->keep_h, w->state->out_row, run.begin),
                       rows_from(slot_of(w, s->h, s->h_row, slot), s->h_row, run.begin),
                       rows_from(h_new, s->h_row, 0), h_next, s->h_row, rows, units);
    else
        kernels->mix(rows_from(h_new, s->h_row, 0), none, none, h_next, s->h_row, rows, units);
}

/* Of a walk whose steps take turns, those that go from the last panel to the first. */
static int32_t goes_back(const struct walk *w, int32_t slot)
{
    return w->s->forward.turns & slot;
}

/* A product for the rows of a grid that have a step in `slot`. */
static void multiply_rows(const struct walk *w, const struct matrix *m, int32_t part, struct rows a,
                          const struct target *to, int32_t slot, struct grid *grid)
{
    const struct range all = grid->row;
    FOR_EACH_RUN (run, w->state, slot, all) {
        grid->row = run;
        matrix_multiply(w->stack, w->state, m, part, a, to, grid);
    }
    grid->row = all;
}

/*
 * The products that the gates read, of h alone or of x before it. Both lie beside each other in a
 * panel, so few panels at a time have both.
 */
static void multiply_inputs(const struct walk *w, const struct special *special, struct rows x,
                            int32_t slot)
{
    const struct matrix *m = w->kernel;
    const struct rows h = recurrent_input(w, slot);
    const struct target from_x = gates_target(w->d, m, special->gates, special->gates_panel);
    const bool apart = special->gain_h != NONE;
    const struct target from_h = {
        apart ? PRODUCT_ZERO : PRODUCT_ADD, apart ? special->sums : special->gates, from_x.row,
        apart ? special->sums_panel : special->gates_panel, from_x.columns};
    struct grid grid = product_panels(w, m);
    grid.back = goes_back(w, slot);
    if (!x.at) {
        multiply_rows(w, m, PART_H, h, &from_h, slot, &grid);
        return;
    }
    const struct range all = grid.panel;
    const int32_t count = all.end - all.begin, most = 2;
    for (int32_t n = 0; n < count; n += most) {
        const int32_t next = n + most < count ? n + most : count;
        grid.panel.begin = grid.back ? all.end - next : all.begin + n;
        grid.panel.end = grid.back ? all.end - n : all.begin + next;
        multiply_rows(w, m, PART_X, x, &from_x, slot, &grid);
        multiply_rows(w, m, PART_H, h, &from_h, slot, &grid);
    }
}

/* Between meetings a worker touches its own rows alone. */
static void forward_step(const struct walk *w, struct rows x, int32_t slot, int32_t t)
{
    const struct mlstm_state *state = w->state;
    const struct direction_state *s = w->s;
    const struct matrix *p = w->projection;
    struct special special = describe(w, slot, t);

    draw_masks(w, slot, t == 0);
    drop_hidden(w, slot);
    wait_for_others(w);
    multiply_inputs(w, &special, x, slot);
    wait_for_others(w);
    FOR_EACH_RUN (run, state, slot, w->row) {
        special.row_begin = run.begin;
        special.row_end = run.end;
        state->layout->kernels->special_forward(&special);
        if (!p)
            settle_hidden(w, slot, run);
    }
    if (!p)
        return;
    wait_for_others(w);
    const struct target h = panels_target(PRODUCT_ZERO, new_h(w, slot), s->h_row, p);
    struct grid grid = product_panels(w, p);
    multiply_rows(w, p, 0, rows_from(special.out, s->row, 0), &h, slot, &grid);
    wait_for_others(w);
    FOR_EACH_RUN (run, state, slot, w->row)
        settle_hidden(w, slot, run);
}

/* What a later product over the whole chunk reads must be numbers where rows have ended, too. */
static void clear_ended(const struct walk *w, int32_t first, int32_t steps)
{
    const struct direction_state *s = w->s;
    if (s->step_rows == 0)
        return;
    if (s->unprojected)
        state_clear_ended(w->state, first, steps, step_of(w, s->unprojected, s->row, first),
                          s->row);
    if (s->h_read)
        state_clear_ended(w->state, first, steps, step_of(w, s->h_read, s->h_row, first), s->h_row);
}

void special_forward_steps(const struct forward_pass *pass, int32_t direction, struct rows x,
                           struct worker *worker)
{
    const struct walk w = begin_walk(pass->stack, pass->state, direction, worker);
    const size_t step = (size_t)pass->state->batch * x.row;
    for (int32_t t = 0; t < pass->steps; t++) {
        forward_step(&w, x, pass->state->position + t, t);
        x.at = x.at ? x.at + step : NULL;
    }
    worker_wait(worker);
    if (worker->index == 0)
        clear_ended(&w, pass->state->position, pass->steps);
}

/*
 * What comes from above and from later, back through zoneout and clip: dh_new, and dh_rest past
 * them.
 */
static void settle_hidden_back(const struct walk *w, int32_t slot, struct rows dh, struct range run)
{
    const struct mlstm_state *state = w->state;
    const struct direction_state *s = w->s;
    const struct kernels *kernels = state->layout->kernels;
    const int32_t rows = run.end - run.begin, units = options_recurrent(w->options);
    const size_t first = (size_t)run.begin * state->out_row;
    const struct rows none = {NULL, 0};
    float *dh_new = state->dh_new + first, *dh_rest = state->dh_rest + first;
    const struct rows all = rows_from(dh_new, state->out_row, 0);
    kernels->mix(rows_from(s->dh_carry, s->h_carry_row, run.begin), none,
                 rows_from(dh.at, dh.row, run.begin), dh_new, state->out_row, rows, units);
    if (w->options->zoneout_h > 0.0f) {
        const struct rows keep = rows_from(state->keep_h, state->out_row, run.begin);
        kernels->blend(keep, all, none, dh_rest, state->out_row, rows, units);
        kernels->blend(keep, none, all, dh_new, state->out_row, rows, units);
    }
    if (w->options->projection_clip > 0.0f)
        kernels->pass_clip(rows_from(new_h(w, slot), s->h_row, run.begin),
                           w->options->projection_clip, dh_new, state->out_row, rows, units);
}

/* The gradient on the step before through h: back through dropout, and what zoneout let past. */
static void carry_hidden(const struct walk *w, struct range run)
{
    const struct mlstm_state *state = w->state;
    const struct direction_state *s = w->s;
    const bool drop = drops(w, MLSTM_DROP_HIDDEN), rest = w->options->zoneout_h > 0.0f;
    state->layout->kernels->mix(rows_from(state->dh_sums, state->out_row, run.begin),
                                rows_from(drop ? state->drop : NULL, state->out_row, run.begin),
                                rows_from(rest ? state->dh_rest : NULL, state->out_row, run.begin),
                                s->dh_carry + (size_t)run.begin * s->h_carry_row, s->h_carry_row,
                                run.end - run.begin, options_recurrent(w->options));
}

/* What the kernels are given for a step back. */
static struct special_backward describe_back(const struct walk *w, int32_t slot, int32_t t,
                                             struct rows dc)
{
    const struct mlstm_state *state = w->state;
    const struct direction *d = w->d;
    const size_t width = (size_t)w->kernel->width;
    const size_t step = (size_t)t * (size_t)state->batch;
    float *dgates = state->dgates + step * width;
    return (struct special_backward){
        .forward = describe(w, slot, t),
        .dout = w->projection ? state->dout : state->dh_new,
        .dout_row = state->out_row,
        .dc_out = dc.at ? dc.at + step * dc.row : NULL,
        .dc_out_row = dc.row,
        .dc_carry = w->s->dc_carry,
        .carry_row = w->s->carry_row,
        .dinputs = d->gain == NONE ? dgates : state->dinputs + step * width,
        .dgates = dgates,
        .dsums = d->gain_h == NONE ? dgates : state->dsums + step * width,
        .dgates_panel = state->chunk_rows * width,
        .dnormal_c = d->norm_c == NONE ? NULL : state->dnormal_c + step * state->out_row,
        .dnormal_row = state->out_row,
    };
}

/* This worker's part of a product back, for the rows that have a step in `slot`. */
static void multiply_rows_back(const struct walk *w, const struct matrix *m, int32_t part,
                               const float *g, const struct target *to, int32_t slot)
{
    struct grid grid = product_blocks(w, &m->parts[part]);
    const struct range all = grid.row;
    FOR_EACH_RUN (run, w->state, slot, all) {
        grid.row = run;
        matrix_multiply_back(w->stack, w->state, m, part, g, to, &grid);
    }
}

static void backward_step(const struct walk *w, int32_t slot, int32_t t, bool first, struct rows dh,
                          struct rows dc)
{
    const struct mlstm_state *state = w->state;
    const struct matrix *m = w->kernel, *p = w->projection;
    const size_t step = (size_t)t * (size_t)state->batch;
    const struct part *recurrent = &m->parts[PART_H];
    struct special_backward special = describe_back(w, slot, t, dc);
    if (dh.at)
        dh.at += step * dh.row;

    draw_masks(w, slot, first);
    FOR_EACH_RUN (run, state, slot, w->row) {
        settle_hidden_back(w, slot, dh, run);
        if (p)
            pack_panels(state, p, (struct rows){state->dh_new, state->out_row}, run,
                        (int32_t)step + run.begin);
    }
    if (p) {
        wait_for_others(w);
        const struct target out =
            part_target(PRODUCT_ZERO, state->dout, state->out_row, &p->parts[0]);
        multiply_rows_back(w, p, 0, state->dy + step * (size_t)p->width, &out, slot);
        wait_for_others(w);
    }
    FOR_EACH_RUN (run, state, slot, w->row) {
        special.forward.row_begin = run.begin;
        special.forward.row_end = run.end;
        state->layout->kernels->special_backward(&special);
    }
    wait_for_others(w);
    const struct target sums = part_target(PRODUCT_ZERO, state->dh_sums, state->out_row, recurrent);
    multiply_rows_back(w, m, PART_H, special.dsums, &sums, slot);
    wait_for_others(w);
    FOR_EACH_RUN (run, state, slot, w->row)
        carry_hidden(w, run);
}

/* The gradients of vectors over all steps of the chunk, each worker some panels. */
static void add_vector_gradients(const struct backward_pass *pass, const struct walk *w)
{
    const struct mlstm_state *state = w->state;
    const struct layout *layout = state->layout;
    const struct matrix *m = w->kernel, *vectors = &layout->matrices[w->d->vectors];
    const struct rows none = {NULL, 0};
    const struct range panel = worker_items(w->worker, m->panels);
    struct special_vectors v = {
        .backward = describe_back(w, pass->first, 0, none),
        .panel_begin = panel.begin,
        .panel_end = panel.end,
        .vectors = pass->grads->values + vectors->offset,
        .bias = w->d->biased ? pass->grads->values + m->offset : NULL,
    };
    struct special *s = &v.backward.forward;
    s->row_end = pass->steps * state->batch;
    if (!state->limited) {
        layout->kernels->special_vectors(&v);
        return;
    }
    for (int32_t i = 0; i < state->run_count; i++) {
        s->row_begin = state->runs[i].begin;
        s->row_end = state->runs[i].end;
        layout->kernels->special_vectors(&v);
    }
}

void special_backward_steps(const struct backward_pass *pass, int32_t direction, struct rows dh,
                            struct rows dc, struct worker *worker)
{
    const struct mlstm_state *state = pass->state;
    const struct walk w = begin_walk(pass->stack, state, direction, worker);
    for (int32_t t = pass->steps - 1; t >= 0; t--)
        backward_step(&w, pass->first + t, t, t == pass->steps - 1, dh, dc);
    worker_wait(worker);
    if (pass->grads && w.d->vectors != NONE)
        add_vector_gradients(pass, &w);
    if (pass->grads && w.projection) {
        const struct direction_state *s = w.s;
        add_gradient(pass, w.projection, 0,
                     rows_from(step_of(&w, s->unprojected, s->row, pass->first), s->row, 0),
                     state->dy, worker);
    }
    worker_wait(worker);
}
