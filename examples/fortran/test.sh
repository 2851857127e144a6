#!/bin/sh
# SPDX-License-Identifier: MIT
# The test and the echo task; run by tests/ffi/run.sh.
set -eu
cd "$(dirname "$0")"
. ../../cmake/install-packages.sh
ensure_packages gfortran pkg-config

# build PROGRAM OPTION...
build() {
    program=$1
    shift
    gfortran -std=f2018 -Wall -Wextra -Wno-integer-division -Werror -O1 "$@" -J "$MLSTM_WORK" \
        -o "$MLSTM_WORK/$program" mlstm_c.f90 mlstm.f90 "$program.f90" $(pkg-config --libs mlstm)
}

build test -fopenmp
"$MLSTM_WORK/test" "$MLSTM_GOLDEN"
build echo
"$MLSTM_WORK/echo" 2 >"$MLSTM_WORK/echo.txt"
