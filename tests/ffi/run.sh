#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: sh tests/ffi/run.sh [LANGUAGE...]
# Builds and installs the library into build/ffi and runs examples/LANGUAGE/test.sh of each language,
# of all where none is named. A language that cannot run has failed.
#
# A language's folder has its wrapper, the echo task on it (its argument: how many epochs), a test, a
# README.md, and test.sh, which from any working directory
#   - installs what it needs and the system lacks: Debian packages with ensure_packages
#     (cmake/install-packages.sh), packages of the language's registry into MLSTM_WORK;
#   - builds in MLSTM_WORK, never in the tree, and runs the test;
#   - runs two epochs of the echo task, its output into MLSTM_WORK/echo.txt, which is checked here.
# It is given, all as absolute paths:
#   MLSTM_PREFIX   where the library is installed (lib/libmlstm.so, include/mlstm, lib/pkgconfig)
#   MLSTM_LIBRARY  the shared library
#   MLSTM_GOLDEN   echo_seed.txt
#   MLSTM_WORK     a folder of the language's own, kept from run to run
# and PKG_CONFIG_PATH and LD_LIBRARY_PATH that find the library.
set -eu
cd "$(dirname "$0")/../.."
. cmake/install-packages.sh

root=$PWD
work=$root/build/ffi
[ $# -gt 0 ] || set -- cpp fortran go java javascript luajit python rust

install_library() {
    ensure_packages gcc libc6-dev cmake make pkg-config &&
        cmake -S . -B "$work/library" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_LIBDIR=lib \
            -DMLSTM_BUILD_TESTS=OFF -DMLSTM_BUILD_EXAMPLES=OFF &&
        cmake --build "$work/library" -j "$(nproc)" &&
        cmake --install "$work/library" --prefix "$work/prefix"
}

# The lines of two epochs of 666 windows, and a task that was learned.
check_echo() {
    awk '/^New data, epoch [01]$/ { epochs++ }
        /^Step [0-6]00 Batch loss |^Step 0 Batch loss / { steps++; loss = $NF }
        END {
            if (epochs == 2 && steps == 14 && loss ~ /^[0-9]/ && loss + 0 < 0.1) exit 0
            print "echo.txt: " epochs + 0 " epochs, " steps + 0 " steps, last loss " loss
            exit 1
        }' "$1"
}

test_language() {
    MLSTM_WORK=$work/$1
    export MLSTM_WORK
    mkdir -p "$MLSTM_WORK"
    rm -f "$MLSTM_WORK/echo.txt"
    sh "examples/$1/test.sh" && check_echo "$MLSTM_WORK/echo.txt"
}

mkdir -p "$work"
install_library >"$work/library.log" 2>&1 || { cat "$work/library.log"; exit 1; }
export MLSTM_PREFIX="$work/prefix" MLSTM_LIBRARY="$work/prefix/lib/libmlstm.so"
export MLSTM_GOLDEN="$root/tests/golden/echo_seed.txt"
export PKG_CONFIG_PATH="$MLSTM_PREFIX/lib/pkgconfig" LD_LIBRARY_PATH="$MLSTM_PREFIX/lib"

passed=0 failed=0
for language; do
    if test_language "$language" >"$work/$language.log" 2>&1; then
        echo "$language ok"
        passed=$((passed + 1))
    else
        cat "$work/$language.log"
        echo "$language FAILED"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
