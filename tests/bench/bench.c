/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const kind_names[] = {"train", "infer", "stream", "echo", "sgemm"};

static bench_work work;
static void *work_bytes;
static FILE *results;

void bench_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", bench_name());
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void *bench_alloc(size_t bytes)
{
    size_t rounded = (bytes + 63) / 64 * 64;
    void *memory = aligned_alloc(64, rounded ? rounded : 64);
    if (!memory)
        bench_die("no memory");
    return memset(memory, 0, rounded ? rounded : 64);
}

void bench_put(const float *values, size_t count)
{
    if (fwrite(values, sizeof *values, count, results) != count)
        bench_die("cannot write results");
}

static void *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        bench_die("cannot read %s", path);
    long size = ftell(file);
    if (size < 0)
        bench_die("cannot read %s", path);
    rewind(file);
    void *bytes = bench_alloc((size_t)size);
    if (fread(bytes, 1, (size_t)size, file) != (size_t)size)
        bench_die("cannot read %s", path);
    fclose(file);
    return bytes;
}

static void load(const char *path)
{
    free(work_bytes);
    work_bytes = read_file(path);
    const int32_t *head = work_bytes;
    memcpy(&work, head, 7 * sizeof(int32_t));
    if (work.layers > BENCH_MAX_LAYERS)
        bench_die("%d layers are too many", work.layers);
    size_t hidden = (size_t)work.hidden, outputs = (size_t)work.outputs;
    size_t cells = (size_t)work.steps * (size_t)work.batch;
    const float *next = work.parameters = (const float *)(head + 8);
    for (int32_t l = 0; l < work.layers; l++) {
        work.kernel[l] = next;
        work.bias[l] = next + ((size_t)bench_layer_input(&work, l) + hidden) * 4 * hidden;
        next = work.bias[l] + 4 * hidden;
    }
    work.readout_c = work.parameters + head[7];
    work.readout_h = work.readout_c + hidden * outputs;
    work.readout_bias = work.readout_h + hidden * outputs;
    work.x = work.readout_bias + outputs;
    next = work.x + (size_t)work.windows * cells * (size_t)work.input;
    work.dh = outputs ? NULL : next;
    work.labels = outputs ? (const int32_t *)next : NULL;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double sample(long count)
{
    double start = now();
    bench_run(count);
    return now() - start;
}

/* Prints nanoseconds per unit of samples that last a millisecond or a unit, whichever is longer. */
static void time_for(double nanoseconds)
{
    long count = 1;
    double end = now() + nanoseconds;
    while (sample(count) < 1e6 && count <= LONG_MAX / 2)
        count *= 2;
    printf("{\"ns\": [");
    int samples = 0;
    do {
        printf("%s%.1f", samples++ ? ", " : "", sample(count) / (double)count);
    } while (now() < end);
    printf("]}\n");
}

/* What is loaded is a kind, and after a plus sign the variant of the cell. */
static int prepare(char *kind, const char *path, int threads)
{
    static char variant[32];
    size_t end = strcspn(kind, "+");
    strcpy(variant, kind[end] ? kind + end + 1 : "");
    kind[end] = 0;
    for (size_t k = 0; k < sizeof kind_names / sizeof *kind_names; k++) {
        if (strcmp(kind, kind_names[k]) == 0) {
            load(path);
            work.variant = variant;
            return bench_prepare((bench_kind)k, &work, threads);
        }
    }
    return -1;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    char line[4096], kind[32], path[4000];
    double seconds;
    printf("{\"name\": \"%s\"}\n", bench_name());
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "load %31s %3999[^\n]", kind, path) == 2) {
            const char *ok = prepare(kind, path, threads) ? "false" : "true";
            printf("{\"ok\": %s, \"bytes\": %zu}\n", ok, bench_bytes());
        } else if (sscanf(line, "check %3999[^\n]", path) == 1) {
            results = fopen(path, "wb");
            if (!results)
                bench_die("cannot write %s", path);
            bench_check();
            if (fclose(results))
                bench_die("cannot write %s", path);
            printf("{\"ok\": true}\n");
        } else if (sscanf(line, "time %lf", &seconds) == 1) {
            time_for(seconds * 1e9);
        } else {
            bench_die("what is: %s", line);
        }
        fflush(stdout);
    }
    return 0;
}
