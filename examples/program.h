/* SPDX-License-Identifier: MIT */
/* What ends an example that can not go on: a sentence, and exit status 2. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>

#include <mlstm/mlstm.h>

/* What the sentence begins with; each program has its own. */
extern const char program_name[];

_Noreturn void fail(const char *format, ...);

/* With the library's sentence, unless it is MLSTM_OK. */
void check(mlstm_status status);

/* Zeros, for the caller to free. */
float *allocate(size_t count);

#endif
