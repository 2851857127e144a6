# SPDX-License-Identifier: MIT
# Draws what report.py wrote, in the current folder: ratios.svg, streams.svg, growth.svg.

if (!exists("ending")) ending = "svg"
set linetype 1 linewidth 2 linecolor rgb "#0b5cad" pointtype 7 pointsize 0.6
set linetype 2 linewidth 2 linecolor rgb "#e07b00" pointtype 5 pointsize 0.6
set linetype 3 linewidth 2 linecolor rgb "#3a9d4d" pointtype 9 pointsize 0.7
set linetype 4 linewidth 2 linecolor rgb "#c0392b" pointtype 11 pointsize 0.7
set linetype 5 linewidth 2 linecolor rgb "#7d3c98" pointtype 13 pointsize 0.7
set linetype 6 linewidth 2 linecolor rgb "#7f8c8d" pointtype 4 pointsize 0.7
set linetype 7 linewidth 2 linecolor rgb "#16a085" pointtype 6 pointsize 0.7
set linetype 8 linewidth 2 linecolor rgb "#2c3e50" pointtype 8 pointsize 0.7
set grid linecolor rgb "#dddddd"

canvas(width, height) = (ending eq "svg") \
    ? sprintf("set terminal svg size %d,%d font 'sans,13' background 'white'", width, height) \
    : sprintf("set terminal pngcairo size %d,%d font 'sans,10'", width, height)
blocks(file) = int(system("grep -c '^\"' " . file . " || true"))

n = blocks("ratios.dat")
if (n > 0) {
    rows = int(system("awk '/^[0-9]/ && $1 >= n { n = $1 + 1 } END { print n }' ratios.dat"))
    eval canvas(900, 140 + 26 * rows)
    set output "ratios." . ending
    set title "Time of libmlstm over that of the best peer"
    set key outside bottom center horizontal
    set logscale x
    set xrange [0.01:2]
    set yrange [rows - 0.5:-0.5]
    set xtics ("0.01" 0.01, "0.02" 0.02, "0.05" 0.05, "0.1" 0.1, "0.2" 0.2, "0.5" 0.5, "1" 1, "2" 2)
    set ytics scale 0
    set arrow 1 from 1, graph 0 to 1, graph 1 nohead linewidth 2 linecolor rgb "#c0392b" front
    set style fill solid 0.9 noborder
    height = 0.8 / n
    plot for [b = 0:n - 1] "ratios.dat" index b \
        using (0.01):($1 - 0.4 + (b + 0.5) * height):(0.01):($3 > 0.0102 ? $3 : 0.0102): \
              ($1 - 0.4 + b * height):($1 - 0.4 + (b + 0.94) * height) \
        with boxxyerror linetype b + 1 title columnheader(1), \
        "ratios.dat" index 0 every ::1 using (0.01):1:ytic(2) with dots notitle
    unset arrow
    unset logscale
    set xtics autofreq
    set ytics autofreq scale 1
    set autoscale
}

n = blocks("streams.dat")
if (n > 0) {
    eval canvas(900, 560)
    set output "streams." . ending
    set title "One step of one stream, input size H, one thread"
    set xlabel "H (one layer up to 256, two above)"
    set ylabel "microseconds"
    set key outside right top vertical
    set logscale xy
    set xrange [3:1400]
    set xtics ("4" 4, "16" 16, "32" 32, "64" 64, "128" 128, "256" 256, "512" 512, "1024" 1024)
    plot for [b = 0:n - 1] "streams.dat" index b using 1:2 with linespoints linetype b + 1 \
        title columnheader(1)
    unset logscale
    set xtics autofreq
}

most = 0
do for [letter in "T B H L"] { most = most + blocks("growth-" . letter . ".dat") }
if (most > 0) {
    eval canvas(900, 640)
    set output "growth." . ending
    set multiplot layout 2, 2 title \
        "A training window, I = 128: one size at a time away from H = 128, L = 2, B = 16, T = 32"
    set logscale x 2
    set yrange [0:*]
    set ylabel "GF/s"
    set key inside bottom right opaque
    set title ""
    do for [letter in "T B H L"] {
        file = "growth-" . letter . ".dat"
        n = blocks(file)
        set xlabel letter
        if (n > 0) {
            plot for [p = 0:n - 1] file index p using 1:2 with linespoints linetype p + 1 \
                title columnheader(1)
        }
    }
    unset multiplot
}
