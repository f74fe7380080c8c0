#!/usr/bin/env bash
# package_alone.sh SOURCE BUILD: who builds the target `limulus` alone, as a grader's setup.sh does,
# can install it: whatever `cmake --install` copies from the build folder is there after configuring,
# or that target makes it. Nothing is compiled.
set -euo pipefail
source=$1 build=$2/package/alone
rm -rf "$build"
cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLIMULUS_TESTS=OFF \
  -DLIMULUS_BENCHMARKS=OFF -DLIMULUS_OPENCL=OFF -DLIMULUS_PROGRAM=OFF >"$2/package/alone.log" 2>&1 ||
  { tail -20 "$2/package/alone.log"; exit 1; }
makes=$(ninja -C "$build" -t commands limulus)
checked=0 missing=0
while read -r file; do
  checked=$((checked + 1))
  [[ -e $file ]] || grep -qF -- "${file#"$build"/}" <<<"$makes" ||
    { echo "the target limulus does not make $file, which cmake --install copies"; missing=1; }
done < <(grep -o "\"$build/[^\"]*\"" "$build/cmake_install.cmake" | tr -d '"' |
  grep -v 'install_\|Export/\|\$' | sort -u)
echo "$checked files of the build folder, $missing missing"
[[ $checked -ge 3 && $missing == 0 ]]
