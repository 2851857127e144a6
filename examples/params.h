/* SPDX-License-Identifier: MIT */
/* Arrays in a file: for each a line with its name and shape, then its numbers as in memory. */
#ifndef PARAMS_H
#define PARAMS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <mlstm/mlstm.h>

/* Numbers as large as a parameter, and what the file calls them. */
typedef struct array {
    const char *name;
    int32_t shape[2];
    size_t count;
    float *values; /* to be freed */
} array;

/* Of a parameter, by its index; zeros. */
array array_of(const mlstm_stack *stack, int32_t param);

void write_array(FILE *file, const char *what, const array *a);

/* These end the program where the file goes on with something else. */
void read_array(FILE *file, const char *what, array *a);
void restore_params(FILE *file, mlstm_stack *stack);

void save_params(FILE *file, const mlstm_stack *stack);

#endif
