/* SPDX-License-Identifier: MIT */
#include "layout.h"

#include <stdio.h>
#include <string.h>

#include <mlstm/stack.h>

#include "alloc.h"
#include "status.h"

/* The narrowest of W, 2W, 4W that holds `units`, or 4W. */
static int32_t vectors_width(const struct kernels *kernels, int32_t units)
{
    const int32_t w = kernels->width;
    return units <= w ? w : units <= 2 * w ? 2 * w : 4 * w;
}

/* W, or in small layers the least power of two that holds all units, but at least 4. */
static int32_t gate_units(const struct kernels *kernels, int32_t hidden)
{
    int32_t units = 4;
    while (units < hidden && units < kernels->width)
        units *= 2;
    return units;
}

static int32_t divide_up(int32_t a, int32_t b)
{
    return (a - 1) / b + 1;
}

static void add_part(struct layout *layout, struct arena *transposed, struct matrix *m,
                     int32_t part, int32_t first, int32_t rows)
{
    struct part *p = &m->parts[part];
    p->first = first;
    p->rows = rows;
    if (rows == 0)
        return;
    p->width = vectors_width(layout->kernels, rows);
    p->blocks = divide_up(rows, p->width);
    p->block = (size_t)m->panels * (size_t)m->width * (size_t)p->width;
    p->offset = arena_take(transposed, (size_t)m->panels * (size_t)m->width, (size_t)p->width,
                           (size_t)p->blocks);
}

static int32_t add_matrix(struct layout *layout, struct arena *block, struct arena *transposed,
                          int32_t gates, int32_t units, int32_t panel_units, int32_t rows0,
                          int32_t rows1)
{
    const int32_t index = layout->matrix_count++;
    struct matrix *m = &layout->matrices[index];
    *m = (struct matrix){.inputs = rows0 + rows1,
                         .gates = gates,
                         .units = units,
                         .panel_units = panel_units,
                         .width = gates * panel_units,
                         .panels = divide_up(units, panel_units),
                         .sums_into = NONE};
    m->padded = units % panel_units != 0;
    for (int32_t column = 0; column < m->width; column++)
        m->keep[column] = column % panel_units < units - (m->panels - 1) * panel_units ? -1 : 0;
    m->panel = ((size_t)m->inputs + 1) * (size_t)m->width;
    m->offset = arena_take(block, (size_t)m->inputs + 1, (size_t)m->width, (size_t)m->panels);
    add_part(layout, transposed, m, 0, 0, rows0);
    add_part(layout, transposed, m, 1, rows0, rows1);
    return index;
}

/* A matrix with one "gate". */
static int32_t add_plain_matrix(struct layout *layout, struct arena *block,
                                struct arena *transposed, int32_t units, int32_t rows0,
                                int32_t rows1)
{
    return add_matrix(layout, block, transposed, 1, units, vectors_width(layout->kernels, units),
                      rows0, rows1);
}

/* A matrix without a row of biases, or several vectors: nothing that is multiplied from behind. */
static int32_t add_rows(struct layout *layout, struct arena *block, int32_t gates, int32_t units,
                        int32_t panel_units, int32_t rows)
{
    struct arena none = {0};
    const int32_t index = add_matrix(layout, block, &none, gates, units, panel_units, rows - 1, 0);
    layout->matrices[index].parts[0] = (struct part){0};
    return index;
}

static struct param *add_param(struct layout *layout, int32_t matrix, int32_t first, int32_t rows,
                               const char *prefix, const char *name)
{
    const struct matrix *m = &layout->matrices[matrix];
    struct param *p = &layout->param[layout->params++];
    *p = (struct param){.matrix = matrix,
                        .first = first,
                        .rows = rows,
                        .gates = m->gates,
                        .columns = m->gates * m->units,
                        .rank = 2};
    snprintf(p->name, sizeof p->name, "%s.%s", prefix, name);
    return p;
}

static void add_vector(struct layout *layout, int32_t matrix, int32_t row, const char *prefix,
                       const char *name, float neutral)
{
    struct param *p = add_param(layout, matrix, row, 1, prefix, name);
    p->rank = 1;
    p->neutral = neutral;
}

/* A vector that is one gate's part of a row. */
static void add_gate(struct layout *layout, int32_t matrix, int32_t row, int32_t gate,
                     const char *prefix, const char *name, float neutral)
{
    add_vector(layout, matrix, row, prefix, name, neutral);
    struct param *p = &layout->param[layout->params - 1];
    p->gate = gate;
    p->gates = 1;
    p->columns = layout->matrices[matrix].units;
}

static void add_vectors(struct layout *layout, struct arena *block, struct direction *d,
                        const struct options *o, int32_t panel_units, const char *prefix)
{
    int32_t rows = o->biases == 2 ? 2 : 0;
    d->peephole = o->peepholes ? rows++ : NONE;
    d->gain = o->norm ? rows++ : NONE;
    d->gain_h = o->norm == MLSTM_NORM_PRODUCTS ? rows++ : NONE;
    d->norm_c = o->norm ? rows++ : NONE;
    d->biased = o->biases > 0;
    d->vectors = rows ? add_rows(layout, block, 4, o->hidden, panel_units, rows) : NONE;
    if (o->biases == 1)
        add_vector(layout, d->kernel, 0, prefix, "bias", 0.0f);
    if (o->biases == 2) {
        layout->matrices[d->vectors].sums_into = d->kernel;
        add_vector(layout, d->vectors, 0, prefix, "bias", 0.0f);
        add_vector(layout, d->vectors, 1, prefix, "bias_h", 0.0f);
    }
    if (o->peepholes) {
        add_gate(layout, d->vectors, d->peephole, 0, prefix, "peephole_i", 0.0f);
        add_gate(layout, d->vectors, d->peephole, 2, prefix, "peephole_f", 0.0f);
        add_gate(layout, d->vectors, d->peephole, 3, prefix, "peephole_o", 0.0f);
    }
    if (o->norm == MLSTM_NORM_GATES)
        add_vector(layout, d->vectors, d->gain, prefix, "norm_gain", 1.0f);
    if (o->norm == MLSTM_NORM_PRODUCTS) {
        add_vector(layout, d->vectors, d->gain, prefix, "norm_x_gain", 1.0f);
        add_vector(layout, d->vectors, d->gain_h, prefix, "norm_h_gain", 1.0f);
    }
    if (o->norm) {
        add_gate(layout, d->vectors, d->norm_c, 0, prefix, "norm_c_gain", 1.0f);
        add_gate(layout, d->vectors, d->norm_c, 1, prefix, "norm_c_shift", 0.0f);
    }
}

static void add_direction(struct layout *layout, struct arena *block, struct arena *transposed,
                          int32_t layer, bool reverse, bool plain)
{
    const struct options *o = &layout->layer[layer].options;
    struct direction *d = &layout->direction[layout->directions++];
    char prefix[32];
    snprintf(prefix, sizeof prefix, reverse ? "layer%d.reverse" : "layer%d", layer);
    const int32_t recurrent = options_recurrent(o);
    /* Rows of small layers share vectors, which only the plain kernel can. */
    const int32_t panel_units =
        plain ? gate_units(layout->kernels, o->hidden) : layout->kernels->width;
    *d = (struct direction){.layer = layer, .reverse = reverse};
    d->kernel =
        add_matrix(layout, block, transposed, 4, o->hidden, panel_units, o->input, recurrent);
    add_param(layout, d->kernel, 1, o->input + recurrent, prefix, "kernel");
    add_vectors(layout, block, d, o, panel_units, prefix);
    d->projection = d->initial_c = d->initial_h = NONE;
    if (o->projection) {
        d->projection = add_plain_matrix(layout, block, transposed, o->projection, o->hidden, 0);
        add_param(layout, d->projection, 1, o->hidden, prefix, "projection");
    }
    if (o->learned) {
        d->initial_c =
            add_rows(layout, block, 1, o->hidden, vectors_width(layout->kernels, o->hidden), 1);
        d->initial_h =
            add_rows(layout, block, 1, recurrent, vectors_width(layout->kernels, recurrent), 1);
        add_vector(layout, d->initial_c, 0, prefix, "initial_c", 0.0f);
        add_vector(layout, d->initial_h, 0, prefix, "initial_h", 0.0f);
    }
}

static void add_layer(struct layout *layout, struct arena *block, struct arena *transposed,
                      int32_t index, bool plain)
{
    struct layer *layer = &layout->layer[index];
    const struct options *o = &layer->options;
    layer->first = layout->directions;
    layer->directions = o->merge ? 2 : 1;
    layer->recurrent = options_recurrent(o);
    layer->cells = o->hidden * options_times(o);
    layer->outputs = layer->recurrent * options_times(o);
    layer->highway = NONE;
    for (int32_t d = 0; d < layer->directions; d++)
        add_direction(layout, block, transposed, index, d == 1, plain);
    if (o->skip == MLSTM_SKIP_HIGHWAY) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "layer%d", index);
        layer->highway = add_plain_matrix(layout, block, transposed, layer->outputs, o->input, 0);
        add_param(layout, layer->highway, 1, o->input, prefix, "highway_kernel");
        add_vector(layout, layer->highway, 0, prefix, "highway_bias", 1.0f);
    }
}

static void add_readout(struct layout *layout, struct arena *block, struct arena *transposed,
                        int32_t outputs)
{
    const struct layer *top = layout_top(layout);
    const int32_t rows_c = layout->sources & MLSTM_READOUT_C ? top->cells : 0;
    const int32_t rows_h = layout->sources & MLSTM_READOUT_H ? top->outputs : 0;
    layout->readout = add_plain_matrix(layout, block, transposed, outputs, rows_c, rows_h);
    if (rows_c)
        add_param(layout, layout->readout, 1, rows_c, "readout", "kernel_c");
    if (rows_h)
        add_param(layout, layout->readout, 1 + rows_c, rows_h, "readout", "kernel_h");
    add_vector(layout, layout->readout, 0, "readout", "bias", 0.0f);
}

/* The most that a layer's directions have, and what the layer has beside them. */
enum { MATRICES = 5, PARAMS = 13, LAYER_MATRICES = 1, LAYER_PARAMS = 2, READOUT_PARAMS = 3 };

static struct layout *layout_allocate(const mlstm_allocator *allocator, mlstm_cell *const *cells,
                                      int32_t layers)
{
    struct layout *layout = allocate(allocator, sizeof *layout);
    if (!layout)
        return NULL;
    size_t directions = 0;
    for (int32_t l = 0; l < layers; l++)
        directions += cells[l]->options.merge ? 2 : 1;
    const size_t count = (size_t)layers;
    layout->allocator = *allocator;
    layout->references = 1;
    layout->kernels = kernels_get();
    layout->layers = layers;
    layout->readout = NONE;
    layout->layer = allocate(allocator, count * sizeof *layout->layer);
    layout->direction = allocate(allocator, directions * sizeof *layout->direction);
    layout->matrices = allocate(allocator, (MATRICES * directions + LAYER_MATRICES * count + 1) *
                                               sizeof *layout->matrices);
    layout->param =
        allocate(allocator, (PARAMS * directions + LAYER_PARAMS * count + READOUT_PARAMS) *
                                sizeof *layout->param);
    if (layout->layer && layout->direction && layout->matrices && layout->param)
        return layout;
    layout_release(layout);
    return NULL;
}

mlstm_status layout_create(const char *function, const mlstm_allocator *allocator,
                           mlstm_cell *const *cells, int32_t layers, int32_t outputs,
                           int32_t sources, struct layout **made)
{
    struct arena block = {0}, transposed = {0};
    struct layout *layout = layout_allocate(allocator, cells, layers);
    if (!layout)
        return fail(MLSTM_ERROR_OUT_OF_MEMORY, "%s: the allocator gave no memory", function);
    layout->sources = sources;
    bool plain = true;
    for (int32_t l = 0; l < layers; l++) {
        layout->layer[l].options = cells[l]->options;
        plain = plain && options_plain(&cells[l]->options);
    }
    for (int32_t l = 0; l < layers; l++)
        add_layer(layout, &block, &transposed, l, plain);
    layout->readout_offset = block.count;
    if (sources)
        add_readout(layout, &block, &transposed, outputs);
    layout->count = block.count;
    layout->transposed_count = transposed.count;
    if (block.overflow || transposed.overflow) {
        layout_release(layout);
        return fail(MLSTM_ERROR_TOO_LARGE, "%s: the parameters of %d layers cannot be addressed",
                    function, layers);
    }
    *made = layout;
    return MLSTM_OK;
}

struct layout *layout_retain(struct layout *layout)
{
    atomic_fetch_add_explicit(&layout->references, 1, memory_order_relaxed);
    return layout;
}

void layout_release(struct layout *layout)
{
    if (!layout || atomic_fetch_sub_explicit(&layout->references, 1, memory_order_acq_rel) > 1)
        return;
    const mlstm_allocator allocator = layout->allocator;
    release(&allocator, layout->layer);
    release(&allocator, layout->direction);
    release(&allocator, layout->matrices);
    release(&allocator, layout->param);
    release(&allocator, layout);
}

const struct matrix *layout_readout(const struct layout *layout)
{
    return layout->readout == NONE ? NULL : &layout->matrices[layout->readout];
}

int32_t layout_outputs(const struct layout *layout)
{
    const struct matrix *readout = layout_readout(layout);
    return readout ? readout->units : layout_top(layout)->outputs;
}

const struct param *layout_find(const struct layout *layout, const char *name)
{
    for (int32_t i = 0; i < layout->params; i++)
        if (strcmp(layout->param[i].name, name) == 0)
            return &layout->param[i];
    return NULL;
}

size_t param_size(const struct param *param)
{
    return (size_t)param->rows * (size_t)param->columns;
}

/* Units of a panel that exist: the last one may have fewer than its width. */
static size_t panel_units(const struct matrix *m, int32_t panel)
{
    const int32_t left = m->units - panel * m->panel_units;
    return (size_t)(left < m->panel_units ? left : m->panel_units);
}

/* Where these units' numbers of one gate lie in a block, for a row of the panels. */
static size_t place(const struct matrix *m, int32_t row, int32_t gate, int32_t panel)
{
    return m->offset + (size_t)panel * m->panel + (size_t)row * (size_t)m->width +
           (size_t)gate * (size_t)m->panel_units;
}

size_t layout_element(const struct layout *layout, const struct param *param, int32_t row,
                      int32_t column)
{
    const struct matrix *m = &layout->matrices[param->matrix];
    const int32_t gate = column / m->units, unit = column % m->units;
    return place(m, param->first + row, param->gate + gate, unit / m->panel_units) +
           (size_t)(unit % m->panel_units);
}

void layout_read(const struct layout *layout, const struct param *param, const float *block,
                 float *values)
{
    const struct matrix *m = &layout->matrices[param->matrix];
    for (int32_t r = param->first; r < param->first + param->rows; r++)
        for (int32_t g = param->gate; g < param->gate + param->gates; g++)
            for (int32_t p = 0; p < m->panels; p++) {
                const size_t n = panel_units(m, p);
                memcpy(values, block + place(m, r, g, p), n * sizeof *values);
                values += n;
            }
}

void layout_write(const struct layout *layout, const struct param *param, float *block,
                  const float *values)
{
    const struct matrix *m = &layout->matrices[param->matrix];
    for (int32_t r = param->first; r < param->first + param->rows; r++)
        for (int32_t g = param->gate; g < param->gate + param->gates; g++)
            for (int32_t p = 0; p < m->panels; p++) {
                const size_t n = panel_units(m, p);
                memcpy(block + place(m, r, g, p), values, n * sizeof *values);
                values += n;
            }
}

void layout_transpose(const struct layout *layout, int32_t matrix, const float *block,
                      float *transposed, const struct worker *worker)
{
    const struct matrix *m = &layout->matrices[matrix];
    const struct range panel = worker_items(worker, m->panels);
    for (const struct part *part = m->parts; part < m->parts + 2; part++)
        for (int32_t b = 0; b < part->blocks; b++)
            for (int32_t p = panel.begin; p < panel.end; p++) {
                const int32_t first = b * part->width;
                const int32_t left = part->rows - first;
                const float *from = block + m->offset + (size_t)p * m->panel +
                                    (size_t)(1 + part->first + first) * (size_t)m->width;
                float *to = transposed + part->offset + (size_t)b * part->block +
                            (size_t)p * (size_t)m->width * (size_t)part->width;
                layout->kernels->transpose(from, (size_t)m->width,
                                           left < part->width ? left : part->width, m->width, to,
                                           (size_t)part->width);
            }
}

void layout_sum_biases(const struct layout *layout, int32_t matrix, float *block,
                       const struct worker *worker)
{
    const struct matrix *m = &layout->matrices[matrix];
    if (m->sums_into == NONE)
        return;
    const struct matrix *kernel = &layout->matrices[m->sums_into];
    const struct range panel = worker_items(worker, m->panels);
    for (int32_t p = panel.begin; p < panel.end; p++) {
        const float *biases = block + m->offset + (size_t)p * m->panel;
        float *sum = block + kernel->offset + (size_t)p * kernel->panel;
        for (int32_t n = 0; n < m->width; n++)
            sum[n] = biases[n] + biases[n + m->width];
    }
}

void layout_share_biases(const struct layout *layout, float *block)
{
    for (int32_t i = 0; i < layout->matrix_count; i++) {
        const struct matrix *m = &layout->matrices[i];
        for (int32_t p = 0; m->sums_into != NONE && p < m->panels; p++) {
            const struct matrix *kernel = &layout->matrices[m->sums_into];
            float *biases = block + m->offset + (size_t)p * m->panel;
            float *sum = block + kernel->offset + (size_t)p * kernel->panel;
            for (int32_t n = 0; n < m->width; n++) {
                biases[n] += sum[n];
                biases[n + m->width] += sum[n];
                sum[n] = 0.0f;
            }
        }
    }
}
