#!/bin/sh
# SPDX-License-Identifier: MIT
# Run by tests/ffi/run.sh, which says what it is given.
set -eu
cd "$(dirname "$0")"
. ../../cmake/install-packages.sh
ensure_packages pkg-config
ensure_command cargo cargo

rm -rf "$MLSTM_WORK/crate"
cp -R . "$MLSTM_WORK/crate"
cd "$MLSTM_WORK/crate"
export CARGO_TARGET_DIR="$MLSTM_WORK/target" CARGO_HOME="$MLSTM_WORK/cargo"
cargo test --locked --offline
cargo run --locked --offline --release --example echo -- 2 >"$MLSTM_WORK/echo.txt"
