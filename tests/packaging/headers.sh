#!/bin/sh
# SPDX-License-Identifier: MIT
# Every C header alone, in every language that may include it (mlstm.hpp: examples/cpp/test.sh).
. "$(dirname "$0")/setup.sh"
ensure_packages g++ clang
mkdir -p "$work"

# compile COMPILER LANGUAGE STANDARD
compile() {
    for header in include/mlstm/*.h; do
        # A header of macros alone would be an empty translation unit.
        printf '#include <mlstm/%s>\ntypedef int nothing;\n' "$(basename "$header")" >"$work/header"
        "$1" -x "$2" -std="$3" $warnings -Iinclude -fsyntax-only "$work/header" ||
            fail "$header does not compile with $1 -std=$3"
    done
    echo "$1 -std=$3: $(ls include/mlstm/*.h | wc -l) headers"
}

for compiler in gcc clang; do
    for standard in c11 c17; do compile $compiler c $standard; done
    for standard in c++11 c++14 c++17 c++20; do compile $compiler c++ $standard; done
done
