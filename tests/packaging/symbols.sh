#!/bin/sh
# SPDX-License-Identifier: MIT
# What the shared library offers to others, what it needs of them, and how it is loaded.
. "$(dirname "$0")/setup.sh"
build_library
library=$prefix/lib/libmlstm.so
dynamic=$(readelf -dW "$library")
segments=$(readelf -lW "$library")

# The version node itself is listed as an absolute name.
nm -D --defined-only "$library" |
    awk '!($2 == "A" && $3 == "MLSTM_0") { print $2, $3 }' >"$work/names"
! grep -v '^T mlstm_[a-z0-9_]*@@MLSTM_0$' "$work/names" || fail "the names above are exported"
echo "exported: $(wc -l <"$work/names") functions, all mlstm_*@@MLSTM_0"

# Whatever a header declares is there, and nothing else.
sed -n 's/.* \(mlstm_.*\)@@.*/\1/p' "$work/names" | sort >"$work/exported"
cat include/mlstm/*.h | sed '/^#/d' | tr '\n' ' ' | tr ';' '\n' |
    sed -n 's/.*MLSTM_API [^(]*[ *]\(mlstm_[a-z0-9_]*\)(.*/\1/p' | sort >"$work/declared"
diff "$work/declared" "$work/exported" ||
    fail "the headers declare other names (<) than are exported (>)"

soname=$(echo "$dynamic" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[ "$soname" = libmlstm.so.0 ] || fail "SONAME is $soname"
needed=$(echo "$dynamic" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
for name in $needed; do
    case $name in
    libc.so.* | libm.so.* | libpthread.so.* | ld-linux*.so.*) ;;
    *) fail "needs $name" ;;
    esac
done
echo "SONAME $soname, needs" $needed

! echo "$dynamic" | grep -E 'TEXTREL|RPATH|RUNPATH' ||
    fail "the entries above are in the dynamic section"
echo "$dynamic" | grep -q 'FLAGS.*NOW' || fail "not bound at once (-z now)"
echo "$segments" | grep -q 'GNU_RELRO' || fail "no RELRO"
echo "$segments" | grep -Eq 'GNU_STACK( +0x[0-9a-f]+){5} RW +0x' || fail "the stack is executable"
! echo "$segments" | grep -E 'LOAD.* RWE ' || fail "memory both writable and executable"
echo "no text relocation, no RPATH, full RELRO, stack not executable"
