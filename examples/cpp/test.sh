#!/bin/sh
# SPDX-License-Identifier: MIT
# The header under every standard with both compilers, then the test and the echo task; run by
# tests/ffi/run.sh.
set -eu
cd "$(dirname "$0")"
. ../../cmake/install-packages.sh
ensure_command g++ g++
ensure_command clang++ clang
ensure_packages pkg-config

flags="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -O1 $(pkg-config --cflags mlstm)"
libs="$(pkg-config --libs mlstm) -pthread"
echo '#include <mlstm/mlstm.hpp>' >"$MLSTM_WORK/header.cpp"
for compiler in g++ clang++; do
    for standard in 11 14 17 20; do
        $compiler -std=c++$standard $flags -c -o "$MLSTM_WORK/header.o" "$MLSTM_WORK/header.cpp"
    done
    for standard in 11 20; do
        echo "$compiler C++$standard"
        $compiler -std=c++$standard $flags -o "$MLSTM_WORK/test" test.cpp $libs
        "$MLSTM_WORK/test" "$MLSTM_GOLDEN"
    done
done
g++ -std=c++11 $flags -o "$MLSTM_WORK/echo" echo.cpp $libs
"$MLSTM_WORK/echo" 2 >"$MLSTM_WORK/echo.txt"
