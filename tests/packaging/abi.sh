#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: sh tests/packaging/abi.sh [--renew]
# Holds the shared library to libmlstm.abi and the headers to constants.txt; docs/abi.md says when
# these may be renewed. What is added passes; what a program compiled against them would notice fails.
. "$(dirname "$0")/setup.sh"
ensure_packages abigail-tools
build_library
library=$prefix/lib/libmlstm.so
baseline=$here/libmlstm.abi
constants=$here/constants.txt

# Programs have pointers to handles only, so what these point to may change.
handles=$(sed -n 's/^typedef struct \(mlstm_[a-z_]*\) \1;$/\1/p' include/mlstm/*.h |
    paste -s -d '|')
[ -n "$handles" ] || fail "no handle in the headers"
printf '[suppress_type]\n  type_kind = struct\n  name_regexp = ^(%s)$\n' "$handles" \
    >"$work/handles.suppr"

# The library sees enumerators as numbers, so abidiff does not see them.
echo '#include <mlstm/mlstm.h>' | $CC -E -P -I"$prefix/include" - |
    grep -oE 'MLSTM_[A-Z0-9_]+ = -?[0-9]+' | LC_ALL=C sort >"$work/constants.txt"

if [ "${1:-}" = --renew ]; then
    abidw --exported-interfaces-only --type-id-style hash --no-corpus-path --no-comp-dir-path \
        --no-show-locs --out-file "$baseline" "$library"
    cp "$work/constants.txt" "$constants"
fi
abidiff --exported-interfaces-only --suppressions "$work/handles.suppr" --no-added-syms \
    "$baseline" "$library" || fail "compiled programs would notice; see docs/abi.md"
changed=$(LC_ALL=C comm -23 "$constants" "$work/constants.txt")
[ -z "$changed" ] || fail "constants changed:" $changed
echo "as in the baseline: $(wc -l <"$constants") constants," \
    "$(grep -c '<elf-symbol ' "$baseline") functions"
