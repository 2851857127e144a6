#!/bin/sh
# SPDX-License-Identifier: MIT
# The C code that a page shows must be that of an example.
set -eu
cd "$(dirname -- "$0")/.."

# code PAGE: what its blocks of C have
code() {
    sed -n '/^```c$/,/^```$/p' "$1" | sed '/^```/d'
}

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
    shown=$(code "$page")
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

# Without blanks around it and comments behind it.
plain() {
    sed 's|/\*.*\*/||; s/^ *//; s/ *$//'
}

# check_lines PAGE EXAMPLE: each line that the page shows, wherever the example has it
check_lines() {
    shown=$(code "$1")
    real=$(plain <"examples/$2")
    if [ -z "$shown" ] || printf '%s\n' "$shown" | plain | grep -v -x -F -e "$real"; then
        echo "$1 shows the lines above, which $2 has not" >&2
        exit 1
    fi
}

check README.md quickstart.c quickstart stream.c stream
check docs/weights.md params.c params
check_lines docs/echo-tutorial.md echo.c
