#!/bin/sh
# SPDX-License-Identifier: MIT
# Built in another folder, of another depth, outside of the source: every installed file is the same.
. "$(dirname "$0")/setup.sh"
build_library

far=$(mktemp -d)
trap 'rm -rf "$far"' EXIT
copy_source "$far/some/other folder"
install_library "$far/some/other folder" "$far/build" "$far/prefix"

diff -r "$prefix" "$far/prefix" || fail "the files above differ"
(cd "$far/prefix/lib" && sha256sum libmlstm.so.*.* libmlstm.a)
echo "two folders, the same $(find "$prefix" -type f | wc -l) files"
