#!/bin/sh
# SPDX-License-Identifier: MIT
# The C code that a page shows must be that between the marks of an example.
set -eu
cd "$(dirname -- "$0")/.."

# check PAGE EXAMPLE MARK
check() {
    shown=$(sed -n '/^```c$/,/^```$/p' "$1" | sed '/^```/d')
    real=$(sed -n "/\[$3\]/,/\[$3\]/p" "$2" | sed "/\[$3\]/d")
    indent=$(printf '%s\n' "$real" | sed -n '1s/[^ ].*//p')
    real=$(printf '%s\n' "$real" | sed "s/^$indent//")
    if [ -z "$real" ] || [ "$shown" != "$real" ]; then
        echo "$1 shows another program than $2" >&2
        exit 1
    fi
}

check README.md examples/quickstart.c quickstart
check docs/weights.md examples/checkpoint.c params
