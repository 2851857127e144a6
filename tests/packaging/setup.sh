# SPDX-License-Identifier: MIT
# Sourced by every script of this folder, which may be run by itself from anywhere:
#   sh tests/packaging/symbols.sh
# It works in build/packaging, says what it saw, and fails where that is not as it should be.
set -eu
cd "$(dirname "$0")/../.."
. cmake/install-packages.sh

root=$PWD
here=$root/tests/packaging
work=$root/build/packaging
warnings="-Wall -Wextra -Wpedantic -Werror"
: "${CC:=cc}"

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# quietly LOG COMMAND...: shows what the command said only if it fails
quietly() {
    log=$1
    shift
    "$@" >"$log" 2>&1 || { cat "$log"; fail "failed: $*"; }
}

# install_library SOURCE BUILD PREFIX: both libraries, optimized and with what abidiff reads
install_library() {
    mkdir -p "$2"
    quietly "$2/configure.log" cmake -S "$1" -B "$2" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DCMAKE_INSTALL_LIBDIR=lib -DMLSTM_BUILD_TESTS=OFF -DMLSTM_BUILD_EXAMPLES=OFF
    quietly "$2/build.log" cmake --build "$2" -j "$(nproc)"
    rm -rf "$3"
    quietly "$2/install.log" cmake --install "$2" --prefix "$3"
}

# The library of this tree, in $prefix.
build_library() {
    prefix=$work/prefix
    install_library "$root" "$work/library" "$prefix"
}

# copy_source FOLDER: what the library is built from
copy_source() {
    rm -rf "$1"
    mkdir -p "$1"
    cp -R CMakeLists.txt LICENSE README.md cmake docs include src "$1"
}

ensure_packages gcc libc6-dev cmake make pkg-config
