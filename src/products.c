/* SPDX-License-Identifier: MIT */
#include "products.h"

void matrix_multiply(const struct mlstm_stack *stack, const struct mlstm_state *state,
                     const struct matrix *m, int32_t part, struct rows a, const struct target *to,
                     const struct grid *grid)
{
    struct product product = {
        .a = a.at,
        .a_row = a.row,
        .segments = 1,
        .length = m->parts[part].rows,
        .b = stack->params + m->offset + (size_t)(1 + m->parts[part].first) * (size_t)m->width,
        .b_panel = m->panel,
        .width = m->width,
        .init = to->init,
        .c = to->c,
        .c_row = to->row,
        .c_panel = to->panel ? to->panel : (size_t)m->width,
        .columns = to->columns,
        .few = state->batch <= FEW_ROWS,
    };
    take_grid(&product, grid);
    stack->layout->kernels->product(&product);
}

void matrix_multiply_back(const struct mlstm_stack *stack, const struct mlstm_state *state,
                          const struct matrix *m, int32_t part, const float *g,
                          const struct target *to, const struct grid *grid)
{
    const struct part *p = &m->parts[part];
    struct product product = {
        .a = g,
        .a_row = (size_t)m->width,
        .a_segment = (ptrdiff_t)(state->chunk_rows * (size_t)m->width),
        .segments = m->panels,
        .length = m->gates == 1 && m->panels == 1 ? m->units : m->width,
        .b = stack->transposed + p->offset,
        .b_panel = p->block,
        .width = p->width,
        .init = to->init,
        .c = to->c,
        .c_row = to->row,
        .c_panel = (size_t)p->width,
        .columns = to->columns,
        .few = state->batch <= FEW_ROWS,
    };
    take_grid(&product, grid);
    stack->layout->kernels->product(&product);
}

static void add_rows_gradient(const struct backward_pass *pass, const struct matrix *m,
                              int32_t first, int32_t inputs, struct rows a, const float *g,
                              struct worker *worker)
{
    struct range k, panel;
    worker_share(worker, inputs, m->panels, &k, &panel);
    pass->state->layout->kernels->outer(&(struct outer){
        .a = a.at,
        .a_row = a.row,
        .g = g,
        .g_panel = pass->state->chunk_rows * (size_t)m->width,
        .rows = pass->steps * pass->state->batch,
        .runs = pass->state->limited ? pass->state->runs : NULL,
        .run_count = pass->state->run_count,
        .width = m->width,
        .b = pass->grads->values + m->offset + (size_t)first * (size_t)m->width,
        .b_panel = m->panel,
        .k_begin = k.begin,
        .k_end = k.end,
        .panel_begin = panel.begin,
        .panel_end = panel.end,
        .last = m->panels - 1,
        .keep = matrix_keep(m),
    });
}

void add_gradient(const struct backward_pass *pass, const struct matrix *m, int32_t part,
                  struct rows a, const float *g, struct worker *worker)
{
    add_rows_gradient(pass, m, 1 + m->parts[part].first, m->parts[part].rows, a, g, worker);
}

void add_bias_gradient(const struct backward_pass *pass, const struct matrix *m, const float *g,
                       struct worker *worker)
{
    add_rows_gradient(pass, m, 0, 1, (struct rows){NULL, 0}, g, worker);
}

void pack_panels(const struct mlstm_state *state, const struct matrix *m, struct rows from,
                 struct range row, int32_t first)
{
    for (int32_t p = 0; p < m->panels; p++) {
        const size_t begin = (size_t)p * (size_t)m->width, width = (size_t)m->width;
        const size_t left = (size_t)m->units - begin;
        state->layout->kernels->pad_rows(
            from.at + (size_t)row.begin * from.row + begin, from.row, left < width ? left : width,
            state->dy + ((size_t)p * state->chunk_rows + (size_t)first) * width, width,
            row.end - row.begin);
    }
}
