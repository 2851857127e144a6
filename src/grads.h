/* SPDX-License-Identifier: MIT */
#ifndef GRADS_H
#define GRADS_H

#include <mlstm/grads.h>

#include "layout.h"

struct mlstm_grads {
    struct layout *layout;
    float *values;
};

#endif
