/* SPDX-License-Identifier: MIT */
#ifndef GOLDEN_FILE_H
#define GOLDEN_FILE_H

/*
 * Reads golden data: one record at a time, `S path value` (a number or text) or
 * `T path ndim dim...` followed by one line of numbers, row-major.
 */

#include <stddef.h>

enum { GOLDEN_MAX_RANK = 8 };

struct golden_record {
    char *path;
    char *text;     /* of a scalar; NULL for a tensor */
    double *values; /* of a tensor, or the one number of a scalar that is a number */
    size_t count;   /* 0 for a scalar that is not */
    size_t dims[GOLDEN_MAX_RANK];
    int rank; /* 0 for a scalar */
};

struct golden_file {
    struct golden_record *records;
    size_t count;
    char problem[200]; /* empty, or a sentence on the first line that is no good */
};

/* 0, or -1 where the file cannot be read at all; a line that is no good ends the records. */
int golden_file_read(struct golden_file *file, const char *name);
void golden_file_free(struct golden_file *file);

/* NULL where there is none of that path. */
const struct golden_record *golden_find(const struct golden_file *file, const char *path);

#endif
