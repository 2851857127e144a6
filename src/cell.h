/* SPDX-License-Identifier: MIT */
#ifndef CELL_H
#define CELL_H

#include <stdbool.h>

#include <mlstm/cell.h>

struct mlstm_cell {
    mlstm_allocator allocator;
    int32_t input, hidden;
    float forget_bias;
    bool owned;
};

#endif
