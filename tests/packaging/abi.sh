#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: sh tests/packaging/abi.sh [--renew]
# Holds the shared library to libmlstm.abi; docs/abi.md says when that may be renewed. Added functions
# pass; what a program compiled against the baseline would notice fails, with abidiff's report.
. "$(dirname "$0")/setup.sh"
ensure_packages abigail-tools
build_library
library=$prefix/lib/libmlstm.so
baseline=$here/libmlstm.abi

# Programs have pointers to handles only, so what these point to may change.
handles=$(sed -n 's/^typedef struct \(mlstm_[a-z_]*\) \1;$/\1/p' include/mlstm/*.h | paste -s -d '|')
[ -n "$handles" ] || fail "no handle in the headers"
printf '[suppress_type]\n  type_kind = struct\n  name_regexp = ^(%s)$\n' "$handles" >"$work/handles.suppr"

if [ "${1:-}" = --renew ]; then
    abidw --exported-interfaces-only --no-corpus-path --no-comp-dir-path --no-show-locs \
        --out-file "$baseline" "$library"
fi
abidiff --exported-interfaces-only --suppressions "$work/handles.suppr" --no-added-syms \
    "$baseline" "$library" || fail "programs compiled against the baseline would notice; see docs/abi.md"
echo "$(grep -c '<elf-symbol ' "$baseline") functions of the baseline are as they were"
