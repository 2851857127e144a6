#!/bin/sh
# SPDX-License-Identifier: MIT
# The code that README.md shows must be that between the marks of examples/quickstart.c.
set -eu

cd "$(dirname -- "$0")/.."
shown=$(sed -n '/^```c$/,/^```$/p' README.md | sed '/^```/d')
real=$(sed -n '/\[quickstart\]/,/\[quickstart\]/p' examples/quickstart.c | sed '/\[quickstart\]/d; s/^    //')

if [ -z "$real" ] || [ "$shown" != "$real" ]; then
    echo "README.md shows another program than examples/quickstart.c" >&2
    exit 1
fi
