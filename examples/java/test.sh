#!/bin/sh
# SPDX-License-Identifier: MIT
# Run by tests/ffi/run.sh, which says what it is given.
set -eu
cd "$(dirname "$0")"
. ../../cmake/install-packages.sh
ensure_command javac default-jdk-headless
ensure_command mvn maven

rm -rf "$MLSTM_WORK/project"
mkdir -p "$MLSTM_WORK/project" "$MLSTM_WORK/tmp"
cp -R pom.xml src "$MLSTM_WORK/project"
cd "$MLSTM_WORK/project"
set -- -B -ntp -Dmaven.repo.local="$MLSTM_WORK/m2" -Djna.tmpdir="$MLSTM_WORK/tmp"
mvn "$@" test
mvn "$@" -q exec:java -Dexec.args=2 >"$MLSTM_WORK/mvn.txt"
# Maven puts its escape sequences around the program's lines.
sed "s/$(printf '\033')\[[0-9;]*m//g" "$MLSTM_WORK/mvn.txt" >"$MLSTM_WORK/echo.txt"
