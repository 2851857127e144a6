#!/bin/sh
# SPDX-License-Identifier: MIT
# The static library in somebody else's program and shared library, and two versions in one process.
. "$(dirname "$0")/setup.sh"
build_library
bin=$work/embedding
consumer=$root/tests/consumer/consumer.c
mkdir -p "$bin"

# with_static COMPILER-ARGUMENT...
with_static() {
    $CC $warnings -DMLSTM_STATIC -I"$prefix/include" "$@" "$prefix/lib/libmlstm.a" -lm -pthread
}

with_static -fPIE -pie -o "$bin/pie" "$consumer"
readelf -h "$bin/pie" | grep -q 'Type: *DYN' || fail "not position-independent"
echo "position-independent executable: $("$bin/pie")"

# Whatever the library's files call each other by, a program may have a function of that name.
own=$(nm -g --defined-only "$prefix/lib/libmlstm.a" 2>/dev/null |
    awk 'NF == 3 && $3 !~ /^(mlstm_|__x86\.)/ { print $3 }')
[ -z "$own" ] || fail "libmlstm.a has global names without mlstm_:" $own

# Names are not passed on: whoever links somebody.so finds no mlstm_ in it.
with_static -fPIC -shared -Wl,-z,defs,-z,text -Dmain=somebody_train \
    -o "$bin/libsomebody.so" "$consumer"
echo 'int somebody_train(void); int main(void) { return somebody_train(); }' >"$bin/user.c"
$CC -o "$bin/user" "$bin/user.c" -L"$bin" -lsomebody
exported=$(nm -D --defined-only "$bin/libsomebody.so")
! echo "$exported" | grep -v ' T somebody_train$' || fail "libsomebody.so exports the names above"
echo "shared library of somebody else: $(LD_LIBRARY_PATH=$bin "$bin/user")"

# The next major version, which differs in what its number is made for: SONAME and version node.
version=$("$bin/pie" | sed 's/mlstm \(.*\),.*/\1/')
next=$((${version%%.*} + 1)).0.0
copy_source "$work/next-source"
sed -E "s/_MAJOR [0-9]+/_MAJOR ${next%%.*}/; s/(_MINOR|_PATCH) [0-9]+/\1 0/" \
    include/mlstm/version.h >"$work/next-source/include/mlstm/version.h"
sed "s/MLSTM_${version%%.*}/MLSTM_${next%%.*}/" \
    src/libmlstm.map >"$work/next-source/src/libmlstm.map"
install_library "$work/next-source" "$work/next" "$work/next-prefix"

# link OUTPUT PREFIX VARIANT COMPILER-ARGUMENT...
link() {
    output=$1 from=$2 variant=$3
    shift 3
    if [ "$variant" = static ]; then
        set -- -DMLSTM_STATIC "$@" "$from/lib/libmlstm.a" -lm -pthread
    else
        set -- "$@" -L"$from/lib" -lmlstm "-Wl,-rpath,$from/lib"
    fi
    $CC $warnings -I"$from/include" -o "$output" "$@"
}

# beside HOST-PREFIX HOST-VARIANT HOST-VERSION PLUGIN-PREFIX PLUGIN-VARIANT PLUGIN-VERSION
# -rdynamic: whatever the host has is offered to the plugin.
beside() {
    $CC $warnings -I"$1/include" -Dmain=host_train -c -o "$bin/host_train.o" "$consumer"
    link "$bin/host" "$1" "$2" -rdynamic "$here/host.c" "$bin/host_train.o" -ldl
    link "$bin/plugin.so" "$4" "$5" -fPIC -shared -Dmain=plugin_train "$here/plugin.c" "$consumer"
    "$bin/host" "$3" "$bin/plugin.so" "$6" >"$bin/host.log" || { cat "$bin/host.log"; fail "$*"; }
    echo "$2 $3 in the program, $5 $6 in a plugin: both train"
}

for host in shared static; do
    for plugin in shared static; do
        beside "$prefix" $host "$version" "$work/next-prefix" $plugin "$next"
        beside "$work/next-prefix" $host "$next" "$prefix" $plugin "$version"
    done
done

# Two copies of one version: names alone keep them apart.
beside "$prefix" shared "$version" "$prefix" static "$version"
beside "$prefix" static "$version" "$prefix" shared "$version"
