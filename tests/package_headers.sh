#!/usr/bin/env bash
# Each installed header compiles by itself, without a warning, as a student's program sees it.
# Usage: package_headers.sh COMPILER PREFIX
set -u
compiler=$1
include=$2/include
headers=$(cd "$include" && find limulus -name '*.h' | sort)
count=$(echo "$headers" | wc -l)
# shellcheck disable=SC2016
echo "$headers" | xargs -P "$(nproc)" -I{} sh -c '
  echo "#include <{}>" | "$0" -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Werror -I "$1" \
    -I "$1/limulus" -x c++ - || { echo "FAILED: <{}>"; exit 1; }' "$compiler" "$include"
status=$?
echo "$count headers"
[ "$status" -eq 0 ] && [ "$count" -gt 50 ]
