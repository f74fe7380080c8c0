#!/usr/bin/env bash
# What `limulus new` writes builds at once and passes its own tests, against an installed copy; and what
# it refuses. Usage: package_new.sh PREFIX CXX_COMPILER
set -u
limulus=$1/bin/limulus
export CXX=$2
# shellcheck source=check.sh
source "$(dirname "$0")/check.sh"

refused() { # refused PATTERN ARGUMENTS...: nothing is written
  local pattern=$1
  shift
  touch before.txt after.txt && find . | sort > before.txt
  "$limulus" new "$@" > out.txt 2>&1
  local status=$?
  find . | sort > after.txt
  [ $status -ne 0 ] && prints "$pattern" && cmp -s before.txt after.txt
  result "new $*: status $status, wanted /$pattern/ and no file" $?
}

project() { # project KIND NAME: written, configured, built, tested
  {
    "$limulus" new "$1" "$2" && cd "$2" && cmake --preset release && cmake --build --preset release -j 2 &&
      ctest --preset release && cd ..
  } > out.txt 2>&1
  result "new $1 $2" $?
  cd "$folder" || exit 1
}
# A name as people give it, and names that the library has, too.
project layer relu
project kernel my_pool
project backend conv2d
project example two_spirals
grep -q 'CMAKE_BUILD_TYPE:STRING=Release' my_pool/build/CMakeCache.txt
result 'a Release build' $?
test -f my_pool/build/compile_commands.json
result 'compile_commands.json' $?
# Also without presets; and with sanitizers.
{ cmake -S relu -B plain -DCMAKE_PREFIX_PATH="$1" && grep -q 'CMAKE_BUILD_TYPE:STRING=Release' plain/CMakeCache.txt; } \
  > out.txt 2>&1
result 'Release without presets' $?
(cd my_pool && cmake --preset asan && cmake --build --preset asan -j 2 && ctest --preset asan) \
  > out.txt 2>&1
result 'with sanitizers' $?
two_spirals/build/two_spirals > out.txt 2>&1 && prints 'accuracy 100 %'
result 'the example' $?
# A mistake is seen: the gradient check of the layer says whose gradient, and where.
sed -i 's/dy \* (s + b \* x \* ds)/dy * s/' relu/relu.cpp
(cd relu && cmake --build --preset release && ctest --preset release) > out.txt 2>&1
prints 'your gradient'
result 'a wrong gradient' $?

refused 'take small letters.*: my_pool$' layer MyPool
refused 'take small letters.*: my_pool$' layer my-pool
refused 'take small letters' layer 2fast
refused 'take small letters' layer _x
refused 'take small letters' layer 'größe'
refused 'take small letters' layer '../evil'
refused 'name was given an empty value' layer ''
refused 'word of C\+\+; take another, as my_new' layer new
refused 'needs that name itself' kernel cpu
refused 'needs that name itself' layer tensor
refused 'needs that name itself' example test
refused 'it has 65 characters, of 64' layer "$(printf 'a%.0s' $(seq 65))"
refused 'relu is there already' layer relu
refused 'is there already' layer fresh --out relu/relu.h
refused 'cannot make this folder' layer fresh --out relu/relu.h/below
refused 'KIND|kind' matrix fresh
mkdir empty
"$limulus" new layer fresh --out empty > out.txt 2>&1 && test -f empty/fresh.cpp
result 'an empty folder' $?

finish
