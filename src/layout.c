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

static void add_part(struct layout *layout, struct arena *transposed, struct matrix *m, int32_t part,
                     int32_t first, int32_t rows)
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

static void add_param(struct layout *layout, int32_t matrix, int32_t first, int32_t rows,
                      const char *name, int32_t layer)
{
    const struct matrix *m = &layout->matrices[matrix];
    struct param *p = &layout->param[layout->params++];
    *p = (struct param){.matrix = matrix,
                        .first = first,
                        .rows = rows,
                        .columns = m->gates * m->units,
                        .rank = first == 0 ? 1 : 2};
    if (layer < 0)
        snprintf(p->name, sizeof p->name, "readout.%s", name);
    else
        snprintf(p->name, sizeof p->name, "layer%d.%s", layer, name);
}

static void add_matrix(struct layout *layout, struct arena *block, struct arena *transposed,
                       int32_t index, int32_t gates, int32_t units, int32_t panel_units,
                       const int32_t rows[2])
{
    struct matrix *m = &layout->matrices[index];
    *m = (struct matrix){.inputs = rows[0] + rows[1],
                         .gates = gates,
                         .units = units,
                         .panel_units = panel_units,
                         .width = gates * panel_units,
                         .panels = divide_up(units, panel_units)};
    m->padded = units % panel_units != 0;
    for (int32_t column = 0; column < m->width; column++)
        m->keep[column] = column % panel_units < units - (m->panels - 1) * panel_units ? -1 : 0;
    m->panel = ((size_t)m->inputs + 1) * (size_t)m->width;
    m->offset = arena_take(block, (size_t)m->inputs + 1, (size_t)m->width, (size_t)m->panels);
    add_part(layout, transposed, m, 0, 0, rows[0]);
    add_part(layout, transposed, m, 1, rows[0], rows[1]);
}

static struct layout *layout_allocate(const mlstm_allocator *allocator, int32_t layers)
{
    const size_t count = (size_t)layers + 1;
    struct layout *layout = allocate(allocator, sizeof *layout);
    if (!layout)
        return NULL;
    layout->allocator = *allocator;
    layout->references = 1;
    layout->kernels = kernels_get();
    layout->layers = layers;
    layout->matrices = allocate(allocator, count * sizeof *layout->matrices);
    layout->param = allocate(allocator, (2 * count + 1) * sizeof *layout->param);
    if (layout->matrices && layout->param)
        return layout;
    layout_release(layout);
    return NULL;
}

mlstm_status layout_create(const char *function, const mlstm_allocator *allocator,
                           const int32_t *sizes, int32_t layers, int32_t outputs, int32_t sources, struct layout **made)
{
    struct arena block = {0}, transposed = {0};
    struct layout *layout = layout_allocate(allocator, layers);
    if (!layout)
        return fail(MLSTM_ERROR_OUT_OF_MEMORY, "%s: the allocator gave no memory", function);
    layout->sources = sources;
    for (int32_t l = 0; l < layers; l++) {
        const int32_t rows[2] = {sizes[l], sizes[l + 1]};
        add_matrix(layout, &block, &transposed, l, 4, sizes[l + 1],
                   gate_units(layout->kernels, sizes[l + 1]), rows);
        add_param(layout, l, 1, rows[0] + rows[1], "kernel", l);
        add_param(layout, l, 0, 1, "bias", l);
    }
    if (sources) {
        const int32_t top = sizes[layers];
        const int32_t rows[2] = {sources & MLSTM_READOUT_C ? top : 0,
                                 sources & MLSTM_READOUT_H ? top : 0};
        add_matrix(layout, &block, &transposed, layers, 1, outputs,
                   vectors_width(layout->kernels, outputs), rows);
        if (rows[PART_C])
            add_param(layout, layers, 1, top, "kernel_c", -1);
        if (rows[PART_H])
            add_param(layout, layers, 1 + rows[PART_C], top, "kernel_h", -1);
        add_param(layout, layers, 0, 1, "bias", -1);
    }
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
    release(&allocator, layout->matrices);
    release(&allocator, layout->param);
    release(&allocator, layout);
}

const struct matrix *layout_readout(const struct layout *layout)
{
    return layout->sources ? &layout->matrices[layout->layers] : NULL;
}

int32_t layout_outputs(const struct layout *layout)
{
    return layout->matrices[layout->layers - (layout->sources ? 0 : 1)].units;
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

void layout_read(const struct layout *layout, const struct param *param, const float *block,
                 float *values)
{
    const struct matrix *m = &layout->matrices[param->matrix];
    for (int32_t r = param->first; r < param->first + param->rows; r++)
        for (int32_t g = 0; g < m->gates; g++)
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
        for (int32_t g = 0; g < m->gates; g++)
            for (int32_t p = 0; p < m->panels; p++) {
                const size_t n = panel_units(m, p);
                memcpy(block + place(m, r, g, p), values, n * sizeof *values);
                values += n;
            }
}

void layout_transpose(const struct layout *layout, int32_t matrix, const float *block,
                      float *transposed)
{
    const struct matrix *m = &layout->matrices[matrix];
    for (const struct part *part = m->parts; part < m->parts + 2; part++)
        for (int32_t b = 0; b < part->blocks; b++)
            for (int32_t p = 0; p < m->panels; p++) {
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
