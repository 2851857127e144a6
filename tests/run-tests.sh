#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: sh tests/run-tests.sh [SUITE...]
# Builds with warnings as errors and runs the tests. On Debian it installs with apt what is missing.
#   gcc      (unless another is named) release build with cc, all tests
#   clang    the same with clang, most tests
#   asan     address and undefined behaviour sanitizers, most tests
#   tsan     thread sanitizer, the tests with threads
#   tidy     clang-tidy over the library
#   docs     the documentation, warnings as errors
#   aarch64  cross build, most tests under qemu; adds the foreign architecture to apt
#   i386     32-bit build, all tests; adds the foreign architecture to apt
#   packaging  what is installed, built and linked as others do: tests/packaging
#   deb      the Debian packages in a fresh Debian; needs root
set -eu
cd "$(dirname "$0")/.."
. cmake/install-packages.sh

jobs=$(nproc)
compiler="gcc libc6-dev cmake make pkg-config"

# configure NAME PRESET OPTION...
configure() {
    name=$1 preset=$2
    shift 2
    echo "== $name"
    command -v make >/dev/null || set -- -G Ninja "$@"
    cmake --preset "$preset" -B "build/$name" -DMLSTM_WARNINGS_AS_ERRORS=ON "$@" >"build/$name.log" ||
        { cat "build/$name.log"; return 1; }
}

# build NAME PRESET OPTION...
build() {
    configure "$@"
    cmake --build "build/$1" -j "$jobs"
}

# run NAME OPTION...: the tests of that build
run() {
    name=$1
    shift
    (cd "build/$name" && ctest --output-on-failure --timeout 600 -j "$jobs" "$@")
}

# The packages of another architecture beside this machine's own.
foreign() {
    architecture=$1
    shift
    if command -v dpkg >/dev/null && ! dpkg --print-foreign-architectures | grep -qx "$architecture"; then
        run_as_root dpkg --add-architecture "$architecture"
    fi
    ensure_packages "$@"
}

suite() {
    case $1 in
    gcc)
        ensure_packages $compiler libcmocka-dev
        build release release
        run release
        ;;
    clang)
        ensure_packages $compiler libcmocka-dev clang
        build clang release -DCMAKE_C_COMPILER=clang
        # What is installed is the same with every compiler.
        run clang -E '^consumer'
        ;;
    asan)
        ensure_packages $compiler libcmocka-dev
        build asan asan
        # One runs golden_check, a test of its own, on dozens of files; the other tests the tests.
        run asan -E '^test_(golden|reference)'
        ;;
    tsan)
        ensure_packages $compiler libcmocka-dev
        build tsan tsan
        run tsan -R '^test_(status|team|threads|gradients|options|sequences|allocations|float_mode)'
        ;;
    tidy)
        ensure_packages $compiler libcmocka-dev clang clang-tidy
        build clang release -DCMAKE_C_COMPILER=clang -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
        run-clang-tidy -quiet -p build/clang "$PWD/src/" >build/tidy.log 2>&1 ||
            { cat build/tidy.log; return 1; }
        ;;
    docs)
        ensure_packages $compiler doxygen doxygen-awesome-css
        configure docs release -DMLSTM_BUILD_TESTS=OFF
        cmake --build build/docs --target docs
        ;;
    aarch64)
        foreign arm64 $compiler gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user \
            libcmocka-dev:arm64
        build aarch64 release "-DCMAKE_TOOLCHAIN_FILE=$PWD/cmake/toolchains/aarch64-linux-gnu.cmake"
        # Whole training runs take long under qemu.
        run aarch64 -E '^(test_golden|adding)'
        ;;
    i386)
        foreign i386 $compiler gcc-i686-linux-gnu libc6-dev-i386-cross libcmocka-dev:i386
        build i386 release "-DCMAKE_TOOLCHAIN_FILE=$PWD/cmake/toolchains/i386-linux-gnu.cmake"
        run i386
        ;;
    packaging)
        for script in symbols headers reproducible embedding abi; do
            echo "== packaging: $script"
            sh "tests/packaging/$script.sh"
        done
        ;;
    deb)
        sh tests/packaging/deb.sh
        ;;
    *)
        echo "there is no suite $1" >&2
        return 2
        ;;
    esac
}

mkdir -p build
for name in "${@:-gcc}"; do
    suite "$name"
done
echo "passed: ${*:-gcc}"
