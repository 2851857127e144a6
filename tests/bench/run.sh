#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: sh tests/bench/run.sh [--quick] [--peers A,B] [--threads 1,2] [--rows A,B] [--out DIR]
# Installs the peers that are missing, builds, runs everything in turns, and writes table.md,
# table.csv, results.json and pictures to DIR (build/bench). Peers: mlstm onepage wavefront
# onednn2 onednn3 onnxruntime torch tensorflow keras tfjs; sgemm and read are limits. README.md tells the rest.
#
# What apt does not have goes to $MLSTM_BENCH_HOME (~/.cache/mlstm-bench).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$root/cmake/install-packages.sh"

home=${MLSTM_BENCH_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/mlstm-bench}
onednn3=3.13-1.5.14 # of org.bytedeco:dnnl in Maven: the newest oneDNN that is built for OpenMP
build=$root/build/bench-programs
out=$root/build/bench
python=/usr/bin/python3 # python3-torch belongs to this one

peers=all
arguments=$#
while [ "$arguments" -gt 0 ]; do # --out stays here, everything else goes on to bench.py
    case $1 in
    --help | -h) sed -n '4,7s/^# //p' "$0"; exit ;;
    --out) out=$2; shift; arguments=$((arguments - 1)) ;;
    --peers) peers=$2; set -- "$@" "$1" ;;
    *) set -- "$@" "$1" ;;
    esac
    shift
    arguments=$((arguments - 1))
done

wanted() {
    case ,$peers, in
    ,all, | *,"$1",*) ;;
    *) return 1 ;;
    esac
}

# venv NAME PACKAGE...: a virtual environment, made once
venv() {
    environment=$home/$1
    [ -f "$environment/complete" ] && return
    shift
    "$python" -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "$@"
    touch "$environment/complete"
}

get_onednn3() {
    [ -f "$home/onednn3/libdnnl.so.3" ] && return
    ensure_command mvn maven
    mvn --batch-mode --quiet -Dstyle.color=never dependency:copy \
        -DoutputDirectory="$home/onednn3.jar" -Dartifact="org.bytedeco:dnnl:$onednn3:jar:linux-x86_64"
    (cd "$home" && "$python" -m zipfile -e onednn3.jar/*.jar onednn3.jar)
    mv "$home/onednn3.jar/org/bytedeco/dnnl/linux-x86_64" "$home/onednn3"
    rm -r "$home/onednn3.jar"
}

get_tfjs() {
    [ -d "$home/tfjs/node_modules/@tensorflow/tfjs" ] && return
    ensure_command npm npm
    mkdir -p "$home/tfjs"
    npm install --silent --no-fund --no-audit --prefix "$home/tfjs" @tensorflow/tfjs@4.22.0
}

install_peers() {
    mkdir -p "$home"
    ensure_packages gcc g++ libc6-dev cmake make python3 libdnnl-dev libopenblas-dev gnuplot
    ! wanted onednn3 || get_onednn3
    ! wanted torch || ensure_packages python3-torch python3-numpy
    if wanted onnxruntime || wanted tensorflow || wanted keras; then ensure_packages python3-venv; fi
    ! wanted onnxruntime || venv onnxruntime onnxruntime==1.32.0 onnx==1.23.2
    ! { wanted tensorflow || wanted keras; } || venv tensorflow tensorflow-cpu==2.15.1
    ! wanted tfjs || get_tfjs
}

build_programs() {
    mkdir -p "$build"
    cmake -S "$here" -B "$build" -DCMAKE_BUILD_TYPE=Release \
        -DONEDNN3_DIR="$([ ! -d "$home/onednn3" ] || echo "$home/onednn3")" >"$build/build.log" ||
        { cat "$build/build.log" >&2; return 1; }
    cmake --build "$build" -j "$(nproc)" >>"$build/build.log" ||
        { cat "$build/build.log" >&2; return 1; }
}

# program PEER COMMAND ARGUMENT...: a line for bench.py
program() {
    wanted "$1" || return 0
    printf '%s' "$1"
    shift
    printf '\t%s' "$@"
    echo
}

list_programs() {
    program mlstm "$build/bench_mlstm"
    if grep -qs avx512vl /proc/cpuinfo; then
        program onepage "$build/echo_onepage"
        program wavefront "$build/echo_wavefront"
    fi
    program onednn2 "$build/bench_onednn2"
    program onednn3 "$build/bench_onednn3"
    program onnxruntime "$home/onnxruntime/bin/python" "$here/bench_onnxruntime.py"
    program torch "$python" "$here/bench_torch.py"
    program tensorflow "$home/tensorflow/bin/python" "$here/bench_tensorflow.py"
    program keras "$home/tensorflow/bin/python" "$here/bench_keras.py"
    program tfjs node "$here/bench_tfjs.js"
    program sgemm "$build/bench_sgemm"
    program read "$build/bench_read"
}

install_peers
build_programs
mkdir -p "$out"
out=$(cd "$out" && pwd)
list_programs >"$build/programs"
export PYTHONDONTWRITEBYTECODE=1 NODE_PATH="$home/tfjs/node_modules"
"$python" "$here/bench.py" --programs "$build/programs" --out "$out" \
    --echo "$build/mlstm/examples/mlstm-echo" "$@" 2>"$build/errors.log" ||
    { cat "$build/errors.log" >&2; exit 1; }
(cd "$out" && gnuplot "$here/plot.gp")
echo "Tables and pictures: $out"
