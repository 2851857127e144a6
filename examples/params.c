/* SPDX-License-Identifier: MIT */
#include "params.h"

#include <stdlib.h>
#include <string.h>

#include "program.h"

array array_of(const mlstm_stack *stack, int32_t param)
{
    array a;
    int32_t rank;
    check(mlstm_stack_param_info(stack, param, &a.name, &rank, a.shape));
    a.count = (size_t)a.shape[0] * (size_t)a.shape[1];
    a.values = allocate(a.count);
    return a;
}

//! [params]
#define TITLE "%s %s %d %d" /* a line before the numbers of each array */

void write_array(FILE *file, const char *what, const array *a)
{
    fprintf(file, TITLE "\n", what, a->name, (int)a->shape[0], (int)a->shape[1]);
    fwrite(a->values, sizeof *a->values, a->count, file);
}

void read_array(FILE *file, const char *what, array *a)
{
    char title[128], line[128] = "";
    snprintf(title, sizeof title, TITLE, what, a->name, (int)a->shape[0], (int)a->shape[1]);
    if (fgets(line, sizeof line, file))
        line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, title) != 0)
        fail("the file does not go on with \"%s\"", title);
    if (fread(a->values, sizeof *a->values, a->count, file) != a->count)
        fail("the file ends in the numbers of \"%s\"", title);
}

void save_params(FILE *file, const mlstm_stack *stack)
{
    for (int32_t i = 0; i < mlstm_stack_param_count(stack); i++) {
        array a = array_of(stack, i); /* name, shape, count, and memory for the values */
        check(mlstm_stack_get_param(stack, a.name, a.values, a.count));
        write_array(file, "value", &a);
        free(a.values);
    }
}

void restore_params(FILE *file, mlstm_stack *stack)
{
    for (int32_t i = 0; i < mlstm_stack_param_count(stack); i++) {
        array a = array_of(stack, i);
        read_array(file, "value", &a);
        check(mlstm_stack_set_param(stack, a.name, a.values, a.count));
        free(a.values);
    }
}
//! [params]
