#!/bin/sh
# SPDX-License-Identifier: MIT
# The adding problem from a bare Debian: installs what is missing, builds, trains, draws ./adding.svg.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$root/build/adding
have() { command -v "$1" >/dev/null 2>&1; }

. "$root/cmake/install-packages.sh"
packages='gcc libc6-dev cmake make'
have gnuplot || packages="$packages gnuplot-nox"
ensure_packages $packages

have make || export CMAKE_GENERATOR=Ninja
cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DMLSTM_BUILD_TESTS=OFF >/dev/null
cmake --build "$build" --target mlstm-adding --parallel "$(getconf _NPROCESSORS_ONLN)"

seeds=10
data=$(mktemp)
trap 'rm -f "$data"' EXIT
"$build/examples/mlstm-adding" $seeds 100 "$data"

gnuplot -e "data = '$data'; seeds = $seeds" - <<'END'
set terminal svg size 900,500 font 'sans,13' background 'white'
set output 'adding.svg'
set datafile separator ',' columnheaders
set border 3
set tics nomirror out
set grid ytics back lt 1 lc rgb '#e4e4e4'
set title sprintf('The adding problem, T = 100, from %d seeds', seeds)
set xlabel 'sequences, in thousands'
set ylabel 'average absolute error of the last 2000'
set logscale y
set xrange [2:*]
set yrange [0.005:0.3]
set ytics (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
set key top right
set arrow from graph 0, first 0.01 to graph 1, first 0.01 nohead dt 2 lc rgb '#c0392b'
plot for [s = 1:seeds] data using ($1 == s ? $2 / 1000 : NaN):3 with lines lw 1.5 \
         lc rgb '#123f7a' title s == 1 ? 'one seed' : '', \
     data using ($4 == 1 ? $2 / 1000 : NaN):3 with points pt 7 ps 0.7 lc rgb '#2ca02c' title 'solved', \
     NaN with lines dt 2 lc rgb '#c0392b' title 'has to be below'
END
echo "The figure is in $PWD/adding.svg"
