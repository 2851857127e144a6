#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: run.sh BUILD WORK
# Installs the library built in BUILD, moves the installed tree, and builds and runs consumer.c against
# it in every way that the README names; everything happens in WORK. CC, CMAKE: what to build with.
set -eu

build=$1
work=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
: "${CC:=cc}" "${CMAKE:=cmake}"
flags="-Wall -Wextra -Wpedantic -Werror"

rm -rf "$work"
mkdir -p "$work"
cd "$work"

fail() {
    echo "$*" >&2
    exit 1
}

# needs_library PROGRAM yes|no: does it load libmlstm.so?
needs_library() {
    if readelf -d "$1" | grep -q 'NEEDED.*libmlstm\.so\.0'; then found=yes; else found=no; fi
    [ "$found" = "$2" ] || fail "$1 loads libmlstm.so.0: $found, expected $2"
}

# with_cmake NAME SHARED SOURCE OPTION...
with_cmake() {
    name=$1 shared=$2 source=$3
    shift 3
    echo "== $name"
    "$CMAKE" -S "$source" -B "$name" -DCMAKE_C_COMPILER="$CC" -DCMAKE_C_FLAGS="$flags" \
        "$@" >"$name.log" 2>&1 || { cat "$name.log"; fail "$name: cannot be configured"; }
    "$CMAKE" --build "$name" -j 2 >>"$name.log" 2>&1 || { cat "$name.log"; fail "$name: does not build"; }
    [ -x "$name/consumer" ] || return 0
    needs_library "$name/consumer" "$shared"
    "$name/consumer"
}

# with_pkg_config NAME SHARED [--static]; eval, since pkg-config quotes its paths for the shell
with_pkg_config() {
    name=$1 shared=$2
    shift 2
    echo "== $name"
    eval "$CC -std=c11 $flags \"\$here/consumer.c\" -o $name $(pkg-config --cflags "$@" mlstm)" \
        "${1:+-static} $(pkg-config --libs "$@" mlstm)"
    needs_library "$name" "$shared"
    LD_LIBRARY_PATH=$libdir "./$name"
}

"$CMAKE" --install "$build" --prefix "$work/first" >install.log
mkdir elsewhere
mv first elsewhere/moved
prefix=$work/elsewhere/moved
! grep -r -l -F -e "$work/first" -e "$root" "$prefix" || fail "the files above name the build's folders"

# What a build has depends on BUILD_SHARED_LIBS; a build that says nothing has both.
libdir=$(dirname "$(find "$prefix" -name pkgconfig -type d)")
shared=no
static=no
[ ! -e "$libdir/libmlstm.so.0" ] || shared=yes
[ ! -e "$libdir/libmlstm.a" ] || static=yes

with_cmake find_package "$shared" "$here/installed" -DCMAKE_PREFIX_PATH="$prefix"
export PKG_CONFIG_PATH="$libdir/pkgconfig"
if [ "$shared" = yes ]; then
    with_cmake find_shared yes "$here/installed" -DCMAKE_PREFIX_PATH="$prefix" -DBUILD_SHARED_LIBS=ON
    with_pkg_config pkg_config_shared yes
fi
if [ "$static" = yes ]; then
    with_cmake find_static no "$here/installed" -DCMAKE_PREFIX_PATH="$prefix" -DBUILD_SHARED_LIBS=OFF
    with_cmake component_static no "$here/installed" -DCMAKE_PREFIX_PATH="$prefix" -DCOMPONENT=static
    with_pkg_config pkg_config_static no --static
fi

# Where there is the static library alone, an application links it without asking for it.
with_cmake static_alone no "$root" -DBUILD_SHARED_LIBS=OFF -DMLSTM_BUILD_TESTS=OFF \
    -DMLSTM_BUILD_EXAMPLES=OFF
"$CMAKE" --install static_alone --prefix "$work/alone" >>install.log
PKG_CONFIG_PATH=$(find "$work/alone" -name pkgconfig -type d)
with_pkg_config pkg_config_static_alone no
pkg-config --cflags mlstm | grep -q -w -e -DMLSTM_STATIC || fail "its flags lack MLSTM_STATIC"

with_cmake echo_example "$shared" "$root/examples" -DCMAKE_PREFIX_PATH="$prefix"
echo_example/mlstm-echo --num-epochs 1 --quiet >/dev/null

with_cmake add_subdirectory no "$here/embedded" -DMLSTM_SOURCE="$root"
with_cmake fetch_content yes "$here/embedded" -DMLSTM_SOURCE="$root" -DFETCH=ON -DBUILD_SHARED_LIBS=ON
