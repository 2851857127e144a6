/* SPDX-License-Identifier: MIT */
#ifndef ECHO_FIGURE_H
#define ECHO_FIGURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The tutorial's figure, drawn by gnuplot: the loss curve of the whole run, and input, target and
   prediction of the first five rows of one window. */
typedef struct echo_figure echo_figure;

/* What one drawing shows. */
typedef struct echo_picture {
    const char *title;
    const float *losses; /* [count], one for each window since training began */
    size_t count;
    const float *x;           /* [T,B] bits */
    const int32_t *y;         /* [T,B] bits */
    const float *predictions; /* [T,B,O] probabilities */
    int32_t steps, batch, classes;
} echo_picture;

/* True for what echo_figure_open takes: "live", "terminal", or a name in .png, .svg or .pdf. */
bool echo_figure_accepts(const char *target);

/* Starts gnuplot. NULL, and a line on stderr that says why, where this machine can draw none; ends
   the program where the file cannot be written. */
echo_figure *echo_figure_open(const char *target, bool log_scale);

/* True for a figure that wants to be drawn again and again. NULL is none. */
bool echo_figure_is_live(const echo_figure *figure);

/* Draws; waits where gnuplot is still busy. NULL is left alone. */
void echo_figure_draw(echo_figure *figure, const echo_picture *picture);

/* Ends gnuplot, but not its window. False where it failed. NULL is left alone. */
bool echo_figure_close(echo_figure *figure);

#endif
