/* SPDX-License-Identifier: MIT */
#include "golden_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *pointer)
{
    if (pointer)
        return pointer;
    fputs("golden_check: out of memory\n", stderr);
    exit(2);
}

static char *copy(const char *text)
{
    return strcpy(checked(malloc(strlen(text) + 1)), text);
}

/* A line without its end, growing `*line` as needed; NULL at the end of the file. */
static char *read_line(FILE *stream, char **line, size_t *capacity)
{
    size_t length = 0;
    for (;;) {
        if (length + 2 > *capacity) {
            *capacity = 2 * *capacity + 256;
            *line = checked(realloc(*line, *capacity));
        }
        if (!fgets(*line + length, (int)(*capacity - length), stream))
            return length ? *line : NULL;
        length += strlen(*line + length);
        if (length && (*line)[length - 1] == '\n') {
            (*line)[length - 1] = '\0';
            return *line;
        }
    }
}

/* As many numbers as the line holds, or -1 where something else stands there. */
static long read_numbers(const char *line, double **numbers)
{
    size_t count = 0, capacity = 0;
    char *end;
    *numbers = NULL;
    for (;;) {
        const double number = strtod(line, &end);
        if (end == line)
            break;
        if (count == capacity) {
            capacity = 2 * capacity + 16;
            *numbers = checked(realloc(*numbers, capacity * sizeof **numbers));
        }
        (*numbers)[count++] = number;
        line = end;
    }
    while (*line == ' ')
        line++;
    return *line ? -1 : (long)count;
}

static void read_scalar(struct golden_record *record, const char *value)
{
    record->text = copy(value);
    record->count = read_numbers(value, &record->values) == 1 ? 1 : 0;
}

/* NULL, or what is wrong. */
static const char *read_tensor(struct golden_record *record, const char *shape, const char *line)
{
    double *dims;
    double product = 1; /* of any size, unlike a size_t */
    const long rank = read_numbers(shape, &dims) - 1;
    const int good = rank >= 1 && rank <= GOLDEN_MAX_RANK && dims[0] == (double)rank;
    for (long i = 0; good && i < rank; i++) {
        record->dims[i] = dims[i + 1] >= 1 && dims[i + 1] < 1e9 ? (size_t)dims[i + 1] : 0;
        product *= dims[i + 1] == (double)record->dims[i] ? dims[i + 1] : 0;
    }
    free(dims);
    if (!good)
        return "has no shape";
    record->rank = (int)rank;
    const long count = line ? read_numbers(line, &record->values) : 0;
    record->count = count > 0 ? (size_t)count : 0;
    if (count < 0)
        return "has something that is no number";
    return (double)record->count == product && count
               ? NULL
               : "has another number of values than its shape says";
}

static void free_record(struct golden_record *record)
{
    free(record->path);
    free(record->text);
    free(record->values);
}

/* Reads the record that begins with `*line`, and the line after it for a tensor. */
static const char *read_record(struct golden_file *file, struct golden_record *record, FILE *stream,
                               char **line, size_t *capacity)
{
    const char kind = **line;
    char *rest = strlen(*line) > 2 ? strchr(*line + 2, ' ') : NULL;
    if ((kind != 'S' && kind != 'T') || (*line)[1] != ' ' || !rest)
        return "is neither an S nor a T record";
    *rest++ = '\0';
    record->path = copy(*line + 2);
    if (golden_find(file, record->path))
        return "has a path that was there before";
    if (kind == 'S') {
        read_scalar(record, rest);
        return NULL;
    }
    char *shape = copy(rest);
    const char *problem = read_tensor(record, shape, read_line(stream, line, capacity));
    free(shape);
    return problem;
}

int golden_file_read(struct golden_file *file, const char *name)
{
    FILE *stream = fopen(name, "r");
    char *line = NULL;
    size_t capacity = 0, number = 0;
    memset(file, 0, sizeof *file);
    if (!stream)
        return -1;
    while (read_line(stream, &line, &capacity)) {
        struct golden_record record = {0};
        const char *problem = read_record(file, &record, stream, &line, &capacity);
        number += record.rank ? 2 : 1;
        if (problem) {
            snprintf(file->problem, sizeof file->problem, "line %zu %.100s %s", number,
                     record.path ? record.path : "", problem);
            free_record(&record);
            break;
        }
        file->records = checked(realloc(file->records, (file->count + 1) * sizeof record));
        file->records[file->count++] = record;
    }
    const int failed = ferror(stream);
    fclose(stream);
    free(line);
    return failed ? -1 : 0;
}

void golden_file_free(struct golden_file *file)
{
    for (size_t i = 0; i < file->count; i++)
        free_record(&file->records[i]);
    free(file->records);
}

const struct golden_record *golden_find(const struct golden_file *file, const char *path)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->records[i].path, path) == 0)
            return &file->records[i];
    return NULL;
}
