#!/bin/sh
# SPDX-License-Identifier: MIT
# The echo task from a bare Debian: installs what is missing, builds, trains, draws ./echo.png.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$root/build/echo
have() { command -v "$1" >/dev/null 2>&1; }

. "$root/cmake/install-packages.sh"
packages='gcc libc6-dev cmake make'
have gnuplot || packages="$packages gnuplot-nox"
ensure_packages $packages

have make || export CMAKE_GENERATOR=Ninja
cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DMLSTM_BUILD_TESTS=OFF >/dev/null
cmake --build "$build" --target mlstm-echo --parallel "$(getconf _NPROCESSORS_ONLN)"

"$build/examples/mlstm-echo" --plot echo.png --log-scale
echo "The figure is in $PWD/echo.png"
