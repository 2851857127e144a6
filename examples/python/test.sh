#!/bin/sh
# SPDX-License-Identifier: MIT
# The test and the echo task; run by tests/ffi/run.sh.
set -eu
cd "$(dirname "$0")"
. ../../cmake/install-packages.sh

# A Python of the user's own with NumPy, or Debian's.
python=python3
if ! python3 -c 'import numpy' 2>/dev/null; then
    ensure_packages python3-numpy
    python=/usr/bin/python3
fi
export PYTHONDONTWRITEBYTECODE=1
$python test.py
$python echo.py 2 >"$MLSTM_WORK/echo.txt"
