#!/usr/bin/env bash
# What the compiler says of a student's mistakes (mistakes/mistakes.txt): one error, in words that say
# what to write, and not many lines around it. Usage: mistakes_test.sh COMPILER SOURCE_DIR
set -u
compiler=$1
source_dir=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
most_lines=40

# One file per mistake, and the expression beside it.
awk -v folder="$folder" '
  /^#/ && !count { next }
  /^---- / {
    name = sprintf("%s/%02d", folder, ++count)
    print substr($0, 6) > (name ".expected")
    print "#include <memory>\n#include \"core/autograd.h\"\n#include \"layers/activation.h\"" > (name ".cpp")
    print "#include \"layers/batch_norm2d.h\"\n#include \"layers/conv2d.h\"" > (name ".cpp")
    print "#include \"layers/local_response_norm.h\"\n#include \"layers/max_pool2d.h\"" > (name ".cpp")
    print "using namespace limulus;" > (name ".cpp")
    next
  }
  { print > (name ".cpp") }' "$source_dir/tests/mistakes/mistakes.txt"

# shellcheck disable=SC2016
find "$folder" -name '*.cpp' | sort | xargs -P "$(nproc)" -I{} sh -c '
  "$0" -std=c++20 -fsyntax-only -fno-diagnostics-color -I "$1" {} > {}.out 2>&1; echo $? > {}.status' \
  "$compiler" "$source_dir"

failed=0
count=0
for source in "$folder"/*.cpp; do
  expected=$(cat "${source%.cpp}.expected")
  errors=$(grep -c 'error:' "$source.out")
  lines=$(wc -l < "$source.out")
  count=$((count + 1))
  if [ "$expected" = ok ]; then
    [ "$(cat "$source.status")" -eq 0 ] && [ "$lines" -eq 0 ] && continue
  elif [ "$errors" -eq 1 ] && [ "$lines" -le "$most_lines" ] &&
    grep -Eq -- "$expected" "$source.out"; then
    continue
  fi
  failed=$((failed + 1))
  printf 'FAILED: wanted /%s/ in one error and at most %s lines; got %s errors and %s lines\n' \
    "$expected" "$most_lines" "$errors" "$lines"
  tail -n +9 "$source" | sed 's/^/  > /'
  head -20 "$source.out" | sed 's/^/  | /'
done
echo "$((count - failed)) of $count are as they should be"
[ "$count" -gt 20 ] && [ "$failed" -eq 0 ]
