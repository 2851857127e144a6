/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

void check(mlstm_status status)
{
    if (status != MLSTM_OK)
        fail("%s", mlstm_last_error());
}

float *allocate(size_t count)
{
    float *memory = calloc(count, sizeof *memory);
    if (!memory)
        fail("no memory for %zu numbers", count);
    return memory;
}
