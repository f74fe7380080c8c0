#!/usr/bin/env bash
# `limulus --plugin` and `limulus compare`. Usage: plugin_test.sh PROGRAM FOLDER_OF_PLUGINS
set -u
limulus=$(realpath "$1")
plugins=$(realpath "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
passed=0
failed=0

# check NAME EXPECTED_STATUS PATTERN COMMAND...: as in program_test.sh.
check() {
  local name=$1 expected=$2 pattern=$3 status
  shift 3
  "$@" > "$folder/out.txt" 2>&1 < /dev/null
  status=$?
  if [ "$status" -eq "$expected" ] && grep -Eq -- "$pattern" "$folder/out.txt"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n  %s\n  status %s, expected %s; wanted /%s/; printed:\n' \
      "$name" "$*" "$status" "$expected" "$pattern"
    sed 's/^/  | /' "$folder/out.txt" | head -20
  fi
}

good=$plugins/plugin_good.so
if "$limulus" devices | grep -Eq '^cpu .*avx'; then
  check 'its devices are listed' 0 '^wrong ' "$limulus" devices --plugin "$good"
  check 'its first device is taken' 0 'cases have the right gradient on right ' \
    "$limulus" gradcheck --layer max_pool2d --plugin "$good"
  check 'or the one that is named' 0 'right gradient on cpu ' \
    "$limulus" gradcheck --layer max_pool2d --plugin "$good" --device cpu
  check 'its kernel runs' 0 'my kernel' env LIMULUS_TRACE=1 \
    "$limulus" bench --model lenet5 --batch 1 --repeat 1 --inference --plugin "$good"
  check 'compare: right' 0 'are the same on right ' "$limulus" compare --plugin "$good"
  check 'compare: on some threads, of the whole table' 0 'are the same on cpu .*0\.[0-9]+ of the tolerance' \
    "$limulus" compare
  check 'compare: wrong' 1 'y \[2, 3, 3, 2\]: 2 of 36 differ, the most by .* First at \[1, 2, 2, 0\]: .*, expected ' \
    "$limulus" compare --layer max_pool2d --plugin "$good" --device wrong
  cp "$folder/out.txt" "$folder/wrong.txt"
  check 'compare: a map' 0 '^    \+\+$' cat "$folder/wrong.txt"
  check 'compare: in f32 alone' 1 'in f32' \
    "$limulus" compare --layer max_pool2d --plugin "$good" --device wrong --dtype f32
  if grep -q 'in f64' "$folder/out.txt"; then echo 'FAILED: --dtype f32 shows f64' && failed=$((failed + 1)); fi
  check 'compare: a pass that normalization has a part in' 1 'local_response_norm\+max_pool2d' \
    "$limulus" compare --layer local_response_norm+max_pool2d --plugin "$good" --device wrong
  check 'compare --json' 1 '"first": \[' \
    "$limulus" compare --layer max_pool2d --plugin "$good" --device wrong --json
  check 'compare --json FILE' 0 'same on right' \
    "$limulus" compare --layer max_pool2d --plugin "$good" --json "$folder/c.json"
  check 'its file' 0 '"same": true' cat "$folder/c.json"
else
  echo 'skipped: plugins that are derived from the CPU backend: this processor has no AVX2'
fi
check 'compare --random' 0 '^40 of 40 are the same on reference' \
  "$limulus" compare --device reference --random 20
check 'compare: no such layer' 1 "compare: there is no layer or operation 'conv9d'" \
  "$limulus" compare --layer conv9d
check 'compare --dtype f16' 2 'f16' "$limulus" compare --dtype f16

check 'no such file' 1 'plugin .*nowhere.so: there is no such file' \
  "$limulus" devices --plugin "$folder/nowhere.so"
check 'a folder' 1 'not a file' "$limulus" devices --plugin "$folder"
echo 'not a shared object' > "$folder/text.so"
check 'no ELF file' 1 'text.so: it cannot be loaded: .*(invalid ELF header|file too short)' \
  "$limulus" devices --plugin "$folder/text.so"
: > "$folder/empty.so"
check 'an empty file' 1 'empty.so: it cannot be loaded' "$limulus" devices --plugin "$folder/empty.so"
check 'a name without a folder' 1 'plugin text.so: it cannot be loaded: .*/text.so' \
  sh -c "cd '$folder' && '$limulus' devices --plugin text.so"
check 'it throws' 1 'limulus_plugin\(\) failed: my device is not plugged in' \
  "$limulus" gradcheck --plugin "$plugins/plugin_throws.so"
check 'it adds nothing' 1 'added no device' "$limulus" devices --plugin "$plugins/plugin_adds_nothing.so"
check 'no entry' 1 'defines no void limulus_plugin\(\)' \
  "$limulus" devices --plugin "$plugins/plugin_no_entry.so"
check 'no plugin' 1 'does not include <limulus/backends/plugin.h>' \
  "$limulus" devices --plugin "$plugins/plugin_no_plugin.so"
check 'of another version' 1 'headers of limulus 0.0.9, interface 0123456789ab, but this program is limulus 0' \
  "$limulus" devices --plugin "$plugins/plugin_older.so"
check 'something is not defined' 1 'undefined symbol: mine::forgotten_kernel\(int\)' \
  "$limulus" devices --plugin "$plugins/plugin_undefined.so"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
