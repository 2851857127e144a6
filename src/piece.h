/* SPDX-License-Identifier: MIT */
#ifndef PIECE_H
#define PIECE_H

#include "layout.h"

/* A parameter's numbers in one panel: whole vectors; what is padding in them is 0. */
struct piece {
    size_t offset, count; /* floats of a block */
};

static inline struct piece piece_of(const struct layout *layout, const struct param *param,
                                    int32_t panel)
{
    const struct matrix *m = &layout->matrices[param->matrix];
    /* Parameters that do not have all gates have one row. */
    return (struct piece){m->offset + (size_t)panel * m->panel +
                              (size_t)param->first * (size_t)m->width +
                              (size_t)param->gate * (size_t)m->panel_units,
                          (size_t)(param->rows - 1) * (size_t)m->width +
                              (size_t)param->gates * (size_t)m->panel_units};
}

static inline int32_t piece_count(const struct layout *layout, const struct param *param)
{
    return layout->matrices[param->matrix].panels;
}

#endif
