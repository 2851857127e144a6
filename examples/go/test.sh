#!/bin/sh
# SPDX-License-Identifier: MIT
# Run by tests/ffi/run.sh, which says what it is given.
set -eu
cd "$(dirname "$0")"
. ../../cmake/install-packages.sh
ensure_packages gcc libc6-dev pkg-config
ensure_command go golang-go

export GOCACHE="$MLSTM_WORK/cache" GOPATH="$MLSTM_WORK/go" XDG_CONFIG_HOME="$MLSTM_WORK/config"
export GOTOOLCHAIN=local CGO_ENABLED=1
go vet ./...
go test -count=1 -v .
go run ./echo 2 >"$MLSTM_WORK/echo.txt"
