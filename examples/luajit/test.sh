#!/bin/sh
# SPDX-License-Identifier: MIT
# The test and the echo task; run by tests/ffi/run.sh.
set -eu
cd "$(dirname "$0")"
. ../../cmake/install-packages.sh
ensure_packages luajit

luajit test.lua
luajit echo.lua 2 >"$MLSTM_WORK/echo.txt"
