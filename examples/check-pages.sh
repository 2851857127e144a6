#!/bin/sh
# SPDX-License-Identifier: MIT
# The C code that a page shows must be that between the marks of an example.
set -eu
cd "$(dirname -- "$0")/.."

# marked EXAMPLE MARK: what is between the marks, at the margin
marked() {
    real=$(sed -n "/\[$2\]/,/\[$2\]/p" "examples/$1" | sed "/\[$2\]/d")
    indent=$(printf '%s\n' "$real" | sed -n '1s/[^ ].*//p')
    [ -n "$real" ] || echo "$1 has nothing between marks of $2"
    printf '%s\n' "$real" | sed "s/^$indent//"
}

# check PAGE [EXAMPLE MARK]...: in this order
check() {
    page=$1 expected=
    shift
    shown=$(sed -n '/^```c$/,/^```$/p' "$page" | sed '/^```/d')
    examples=$*
    while [ $# -gt 0 ]; do
        expected="$expected$(marked "$1" "$2")
"
        shift 2
    done
    if [ "$shown
" != "$expected" ]; then
        echo "$page shows another program than $examples" >&2
        exit 1
    fi
}

check README.md quickstart.c quickstart stream.c stream
check docs/weights.md params.c params
