#!/usr/bin/env bash
# `limulus --plugin` and `limulus compare`. Usage: plugin_test.sh PROGRAM FOLDER_OF_PLUGINS
set -u
limulus=$(realpath "$1")
plugins=$(realpath "$2")
# shellcheck source=check.sh
source "$(dirname "$0")/check.sh"

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
  ! prints 'in f64'
  result '--dtype f32 shows no f64' $?
  check 'compare: a pass that normalization has a part in' 1 'local_response_norm\+max_pool2d' \
    "$limulus" compare --layer local_response_norm+max_pool2d --plugin "$good" --device wrong
  check 'compare --json' 1 '"first": \[' \
    "$limulus" compare --layer max_pool2d --plugin "$good" --device wrong --json
  check 'compare --json FILE' 0 'same on right' \
    "$limulus" compare --layer max_pool2d --plugin "$good" --json "$folder/c.json"
  check 'its file' 0 '"same": true' cat "$folder/c.json"
  loud=(--plugin "$plugins/plugin_loud.so")
  for command in devices 'devices --json' 'compare --layer abs' 'compare --layer max_pool2d' \
    'gradcheck --layer max_pool2d' 'bench --model lenet5 --batch 1 --repeat 1'; do
    # shellcheck disable=SC2086
    "$limulus" $command "${loud[@]}" > out.txt 2>&1
    unseen "$command: what a plugin says"
  done
  check 'a kernel that throws a number' 1 'an exception was thrown that is not a std::exception' \
    "$limulus" gradcheck --layer avg_pool2d "${loud[@]}"
  check 'the same in compare, which goes on' 1 'failed: an exception was thrown that is not a std::exception' \
    "$limulus" compare --layer avg_pool2d "${loud[@]}"
  also 'and counts' '^0 of [0-9]+ are the same'
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
check 'a folder' 1 'it is a folder, expected a file' "$limulus" devices --plugin "$folder"
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
check 'no entry' 1 'does not define void limulus_plugin\(\)' \
  "$limulus" devices --plugin "$plugins/plugin_no_entry.so"
check 'no plugin' 1 'does not include <limulus/backends/plugin.h>' \
  "$limulus" devices --plugin "$plugins/plugin_no_plugin.so"
check 'of another version' 1 'headers of limulus 0.0.9, interface 0123456789ab, but this program is limulus 0' \
  "$limulus" devices --plugin "$plugins/plugin_older.so"
check 'something is not defined' 1 'undefined symbol: mine::forgotten_kernel\(int\)' \
  "$limulus" devices --plugin "$plugins/plugin_undefined.so"

finish
