/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "echo_figure.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct echo_figure {
    FILE *gnuplot;
    const char *file; /* NULL where there is none */
    bool live, terminal, log_scale;
};

/* gnuplot's terminal for each kind of file. */
static const struct {
    const char *suffix, *terminal;
} file_kinds[] = {
    {".png", "pngcairo size 1500,840 font 'Sans,11'"},
    {".svg", "svg size 1500,840 font 'Sans,14' background 'white'"},
    {".pdf", "pdfcairo size 15in,8.4in font 'Sans,14'"},
};

static const char *file_terminal(const char *target)
{
    size_t length = strlen(target);
    for (size_t i = 0; i < sizeof file_kinds / sizeof file_kinds[0]; i++) {
        size_t suffix = strlen(file_kinds[i].suffix);
        if (length > suffix && strcmp(target + length - suffix, file_kinds[i].suffix) == 0)
            return file_kinds[i].terminal;
    }
    return NULL;
}

bool echo_figure_accepts(const char *target)
{
    return strcmp(target, "live") == 0 || strcmp(target, "terminal") == 0 ||
           file_terminal(target) != NULL;
}

static bool shell_says_yes(const char *command)
{
    return system(command) == 0;
}

static const char *reason_for_no_figure(bool live)
{
    if (!shell_says_yes("command -v gnuplot >/dev/null 2>&1"))
        return "gnuplot is not installed";
    if (live && !shell_says_yes("gnuplot -e \"exit status (GPVAL_TERM eq 'unknown')\" 2>/dev/null"))
        return "gnuplot has no window here (no display, or gnuplot without X11, Qt and wxWidgets)";
    return NULL;
}

/* In gnuplot a quote inside a quoted string is written twice. */
static void set_output(FILE *gnuplot, const char *name)
{
    fputs("set output '", gnuplot);
    for (; *name; name++)
        fputs(*name == '\'' ? "''" : (const char[]){*name, 0}, gnuplot);
    fputs("'\n", gnuplot);
}

/* gnuplot's own choice of window, larger; new drawings do not bring it to the front. */
static void set_window(FILE *gnuplot)
{
    fputs("eval 'set terminal '.GPVAL_TERM.' size 1300,740'"
          ".(strstrt('qt wxt x11', GPVAL_TERM) ? ' noraise' : '')\n",
          gnuplot);
}

/* Characters, in colour and as wide as the terminal where there is one. */
static void set_characters(FILE *gnuplot)
{
    struct winsize size = {0};
    bool terminal = isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    fprintf(gnuplot, "set terminal dumb %d,48 %s\n", size.ws_col < 80 ? 120 : (int)size.ws_col,
            terminal ? "ansi" : "mono");
}

/* gnuplot would go on without the file. Leaves none behind: the run may fail before it draws. */
static void check_writable(const char *name)
{
    bool there = access(name, F_OK) == 0;
    FILE *file = fopen(name, "ab");
    if (!file) {
        perror(name);
        exit(1);
    }
    fclose(file);
    if (!there)
        remove(name);
}

echo_figure *echo_figure_open(const char *target, bool log_scale)
{
    bool live = strcmp(target, "live") == 0;
    const char *reason = reason_for_no_figure(live);
    if (reason) {
        fprintf(stderr, "no figure: %s\n", reason);
        return NULL;
    }
    if (file_terminal(target))
        check_writable(target);
    signal(SIGPIPE, SIG_IGN); /* a gnuplot that is gone shows in echo_figure_close */
    echo_figure *figure = calloc(1, sizeof *figure);
    FILE *gnuplot = popen(live ? "gnuplot -persist" : "gnuplot", "w");
    if (!figure || !gnuplot) {
        perror("gnuplot");
        exit(1);
    }
    *figure = (echo_figure){gnuplot, file_terminal(target) ? target : NULL, live,
                            strcmp(target, "terminal") == 0, log_scale};
    if (live)
        set_window(gnuplot);
    else if (figure->terminal)
        set_characters(gnuplot);
    else
        fprintf(gnuplot, "set terminal %s\n", file_terminal(target));
    return figure;
}

bool echo_figure_is_live(const echo_figure *figure)
{
    return figure && figure->live;
}

/* NaN comes last. */
static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    if (isnan(x) || isnan(y))
        return !!isnan(x) - !!isnan(y);
    return (x > y) - (x < y);
}

/* The curve has more windows than a picture has columns, so each point stands for a group of them:
   window, median, lowest and highest loss. On logarithmic axes groups grow with the distance. */
static void send_losses(const echo_figure *figure, const float *losses, size_t count)
{
    float *sorted = malloc((count / 60 + 1) * sizeof *sorted);
    fputs("$loss << EOD\n", figure->gnuplot);
    for (size_t begin = 0; sorted && begin < count;) {
        size_t group = figure->log_scale ? begin / 60 : count / 500;
        group = group < 1 ? 1 : group;
        group = group < count - begin ? group : count - begin;
        memcpy(sorted, losses + begin, group * sizeof *sorted);
        qsort(sorted, group, sizeof *sorted, compare_floats);
        fprintf(figure->gnuplot, "%g %g %g %g\n", (double)begin + 0.5 * (double)(group + 1),
                (double)sorted[group / 2], (double)sorted[0], (double)sorted[group - 1]);
        begin += group;
    }
    fputs("EOD\n", figure->gnuplot);
    free(sorted);
}

/* One line for each step: input, target, prediction. */
static void send_row(FILE *gnuplot, const echo_picture *picture, int32_t row)
{
    fprintf(gnuplot, "$row%d << EOD\n", (int)row);
    for (int32_t step = 0; step < picture->steps; step++) {
        size_t i = (size_t)step * (size_t)picture->batch + (size_t)row;
        int predicted = picture->predictions[i * (size_t)picture->classes] < 0.5f;
        fprintf(gnuplot, "%g %d %d\n", (double)picture->x[i], (int)picture->y[i], predicted);
    }
    fputs("EOD\n", gnuplot);
}

static void plot_losses(const echo_figure *figure, size_t count)
{
    FILE *gnuplot = figure->gnuplot;
    fputs("set title 'Loss of the whole run'\n"
          "set xlabel 'window'\n"
          "set ylabel 'cross entropy'\n",
          gnuplot);
    fprintf(gnuplot, "set xrange [1:%zu]\n", count < 2 ? 2 : count);
    fputs(figure->log_scale ? "set logscale xy\nset yrange [*:*]\nset key bottom left\n"
                            : "set yrange [0:*]\nset key top right\n",
          gnuplot);
    fputs("plot $loss using 1:3:4 with filledcurves lc rgb '#a9c4e6' title 'range',"
          " '' using 1:2 with lines lw 2 lc rgb '#123f7a' title 'median'\n"
          "unset logscale\n",
          gnuplot);
}

static void plot_row(const echo_figure *figure, const echo_picture *picture, int32_t row)
{
    fprintf(figure->gnuplot,
            "set title 'Batch row %d'\n"
            "set xlabel 'step in the window'\n"
            "set ylabel 'bit'\n"
            "set xrange [0:%d]\n"
            "set yrange [0:2]\n"
            "set key top right\n"
            "plot $row%d using ($0+0.5):1 with boxes lc rgb '#1f5fbf' title 'input x',"
            " '' using ($0+0.5):(0.5*$2) with boxes lc rgb '#d62728' title '0.5 target y',"
            " '' using ($0+0.5):(0.3*$3) with boxes lc rgb '#2ca02c' title '0.3 prediction p'\n",
            (int)row, (int)picture->steps, (int)row);
}

void echo_figure_draw(echo_figure *figure, const echo_picture *picture)
{
    if (!figure)
        return;
    FILE *gnuplot = figure->gnuplot;
    int32_t rows = picture->batch < 5 ? picture->batch : 5;
    if (figure->file)
        set_output(gnuplot, figure->file);
    send_losses(figure, picture->losses, picture->count);
    for (int32_t row = 0; row < rows; row++)
        send_row(gnuplot, picture, row);
    fprintf(gnuplot,
            "set border 3\n"
            "set tics nomirror out\n"
            "set format '%%g'\n"
            "%s\n"
            "set boxwidth 1\n"
            "set style fill solid border lc rgb 'white'\n"
            "set key samplen 2\n"
            "set multiplot layout 2,3 title \"%s\" font ',15'\n",
            figure->terminal ? "unset grid" : "set grid ytics back lt 1 lc rgb '#e4e4e4'",
            picture->title);
    plot_losses(figure, picture->count);
    for (int32_t row = 0; row < rows; row++)
        plot_row(figure, picture, row);
    fputs("unset multiplot\n", gnuplot);
    fflush(gnuplot);
}

bool echo_figure_close(echo_figure *figure)
{
    if (!figure)
        return true;
    bool good = !ferror(figure->gnuplot);
    good = pclose(figure->gnuplot) == 0 && good;
    free(figure);
    return good;
}
