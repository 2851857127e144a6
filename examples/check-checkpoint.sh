#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: sh check-checkpoint.sh COMMAND...
# Training that was interrupted must give the bits of training that was not; a file that does not
# fit must be refused and left as it is. COMMAND is mlstm-checkpoint, where it needs one under an
# emulator.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# refuse SENTENCE FILE UNITS COMMAND...
refuse() {
    sentence=$1 file=$2 units=$3
    shift 3
    cp "$file" before
    if "$@" "$file" 1 "$units" 2>error || ! grep -q "$sentence" error || ! cmp "$file" before; then
        cat error
        echo "$file was not refused with \"$sentence\"" >&2
        exit 1
    fi
}

"$@" once 12
"$@" twice 7
"$@" twice 5
cmp once twice

refuse 'does not go on with "value layer0.kernel 10 36"' once 9 "$@"
size=$(wc -c <once)
head -c "$((size - 1))" once >short
refuse 'ends in the numbers of "state c,h ' short 8 "$@"
head -c 1000 once >shorter
refuse 'ends in the numbers of "value layer0.kernel 9 32"' shorter 8 "$@"
: >empty
refuse 'does not go on with "value layer0.kernel 9 32"' empty 8 "$@"
(cat once && echo) >longer
refuse 'goes on after its end' longer 8 "$@"
