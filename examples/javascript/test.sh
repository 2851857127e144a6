#!/bin/sh
# SPDX-License-Identifier: MIT
# Run by tests/ffi/run.sh, which says what it is given.
set -eu
cd "$(dirname "$0")"
. ../../cmake/install-packages.sh
ensure_command node nodejs
ensure_command npm npm

mkdir -p "$MLSTM_WORK/package"
cp ./*.js package.json "$MLSTM_WORK/package"
cd "$MLSTM_WORK/package"
export npm_config_cache="$MLSTM_WORK/npm" npm_config_update_notifier=false
npm install --no-package-lock --no-audit --no-fund
npm test
node echo.js 2 >"$MLSTM_WORK/echo.txt"
