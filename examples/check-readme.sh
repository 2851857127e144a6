#!/bin/sh
# SPDX-License-Identifier: MIT
# The program that README.md shows must be examples/quickstart.c.
set -eu

cd "$(dirname -- "$0")/.."
shown=$(sed -n '/^```c$/,/^```$/p' README.md | sed '/^```/d')
real=$(sed -n '/\[quickstart\]/,$p' examples/quickstart.c | sed '/\[quickstart\]/d')

if [ -z "$real" ] || [ "$shown" != "$real" ]; then
    echo "README.md shows another program than examples/quickstart.c" >&2
    exit 1
fi
