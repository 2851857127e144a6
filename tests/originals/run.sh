#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: sh tests/originals/run.sh [DIR]
# Installs PyTorch, TensorFlow with Keras, and ONNX Runtime, builds the library, and compares it
# with them. Everything goes to DIR (build/originals). README.md tells the rest.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../cmake/install-packages.sh"
mkdir -p "${1:-$here/../../build/originals}"
work=$(cd "${1:-$here/../../build/originals}" && pwd)
python=/usr/bin/python3 # python3-torch belongs to this one

# environment NAME VENV-OPTION PIP-ARGUMENT...: a virtual environment, made once. One that cannot be
# made is reported by run.py, after the comparisons with the others.
environment() (
    environment=$work/$1
    [ ! -f "$environment/complete" ] || return 0
    "$python" -m venv --clear $2 "$environment" &&
        shift 2 &&
        "$environment/bin/pip" install --quiet --disable-pip-version-check "$@" &&
        touch "$environment/complete"
)

install_originals() {
    ensure_packages python3 python3-venv
    # Debian's PyTorch is for CPUs; the registry's brings CUDA along
    ensure_packages python3-torch python3-numpy &&
        environment torch --system-site-packages --no-deps lion-pytorch==0.2.5 ||
        echo "PyTorch could not be installed" >&2
    environment tensorflow "" tensorflow-cpu==2.15.1 ||
        echo "TensorFlow could not be installed" >&2
    environment onnxruntime "" onnxruntime==1.32.0 onnx==1.23.2 ||
        echo "ONNX Runtime could not be installed" >&2
}

build_library() {
    ensure_packages gcc libc6-dev cmake make
    cmake -S "$here/../.." -B "$work/library" -DCMAKE_BUILD_TYPE=Release \
        -DMLSTM_WARNINGS_AS_ERRORS=ON -DMLSTM_BUILD_TESTS=OFF -DMLSTM_BUILD_EXAMPLES=OFF &&
        cmake --build "$work/library" -j "$(nproc)"
}

install_originals
build_library >"$work/library.log" 2>&1 || { cat "$work/library.log" >&2; exit 1; }
export MLSTM_LIBRARY="$work/library/src/libmlstm.so"
export PYTHONDONTWRITEBYTECODE=1 TF_CPP_MIN_LOG_LEVEL=2 # its errors alone
exec "$python" "$here/run.py" "$work"
