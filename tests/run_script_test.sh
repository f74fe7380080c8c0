#!/usr/bin/env bash
# ./run on machines of all kinds: the real script, with stand-ins for dpkg-query, apt-get, sudo, cmake
# and ctest that write down how they were called. Nothing is installed or built.
set -euo pipefail
repository=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
failures=0 cases=0

clone="$scratch/a clone" # with a space in its path
mkdir -p "$clone" "$scratch/elsewhere"
cp "$repository/run" "$clone/run"

# stand_in NAME [BODY]: a program that logs its call, then does BODY
stand_in() {
  printf '#!/bin/bash\nprintf "%%s\\n" "%s $*" >>"%s/calls"\n%s\n' "$1" "$scratch" "${2:-}" \
    >"$scratch/bin/$1"
  chmod +x "$scratch/bin/$1"
}

# A machine with nothing but the shell's usual tools, a compiled build, and what a case adds.
machine() {
  local tool
  rm -rf -- "${scratch:?}/bin" "$scratch/calls" "$clone/build" "$clone/build-fuzz"
  mkdir "$scratch/bin"
  touch "$scratch/calls"
  for tool in bash cat chmod dirname env grep mkdir nproc printf readlink rm sed tail tee; do
    ln -s "$(type -P "$tool")" "$scratch/bin/$tool"
  done
  stand_in cmake
  stand_in ctest
}

# Packages that the stand-in of dpkg-query does not know, as a pattern.
missing() {
  stand_in dpkg-query "for p; do case \$p in -*) ;; $1) status=1 ;; *) echo \"\$p installed\" ;; esac
done; exit \${status:-0}"
}

# run_it [AS-USER] ARGS...: the output in $out, the status in $status
run_it() {
  local script=$clone/run
  # EUID cannot be set, so a copy of the script asks another variable.
  sed "s/EUID/pretended_uid/" "$repository/run" >"$script"
  status=0
  out=$(cd "$scratch/elsewhere" && PATH=$scratch/bin pretended_uid=$1 CI=true \
    bash "$script" "${@:2}" </dev/null 2>&1) || status=$?
}

# expect WHAT CONDITION...
expect() {
  local what=$1
  shift
  cases=$((cases + 1))
  if ! "$@"; then
    failures=$((failures + 1))
    printf 'FAILED: %s\n--- output, status %s\n%s\n--- calls\n' "$what" "$status" "$out"
    cat "$scratch/calls"
  fi
}
says() { [[ $out == *"$1"* ]]; }
called() { grep -qE -- "$1" "$scratch/calls"; }
not() { ! "$@"; }

machine
missing none
stand_in apt-get
run_it 1000 test -L core
expect "nothing is missing: succeeds" test "$status" = 0
expect "nothing is missing: apt-get stays unused" not called '^apt-get'
expect "options reach ctest" called '^ctest .*-L core$'
expect "the summary closes the run" says "Tests passed"

machine
missing 'ninja-build|libfmt-dev'
stand_in apt-get
run_it 0 test
expect "root: succeeds" test "$status" = 0
expect "root: says what each package is for" says "libfmt-dev: formats messages"
expect "root: updates" called '^apt-get .*update$'
expect "root: installs what is missing and no more" \
  called '^apt-get .*install -y --no-install-recommends ninja-build libfmt-dev$'

machine
missing oclgrind
stand_in apt-get
run_it 0 test -L core
expect "tests without oclgrind: it is not installed" not called '^apt-get'
run_it 0 test -L oclgrind
expect "tests in oclgrind: installs it" called '^apt-get .*install .* oclgrind$'

machine
missing chromium
stand_in apt-get
stand_in git
stand_in python3 'exit 77'
run_it 0 check calculator
expect "the calculator's check without a browser: installs one" \
  called '^apt-get .*install .* chromium$'
expect "the calculator's check without a browser: fails where it could not run" test "$status" = 1

run_it 0 check site
expect "the site's check without a browser: installs one" called '^apt-get .*install .* chromium$'
expect "the site's check: fails where the site was not built" test "$status" = 1
run_it 0 docs --pdf
expect "docs: an option that it does not know" test "$status" = 1

machine
missing none
stand_in apt-get
stand_in cmp 'exit 1'
stand_in python3 'exit 1'
run_it 0 docs --stored --zip
expect "docs --stored: asks for Python" called '^dpkg-query .* python3-venv'
expect "docs --stored: asks for no compiler" not called '^dpkg-query .*[ (]g[+][+]'
expect "docs --stored: builds nothing" not called '^cmake'
expect "docs --stored: goes on to the site's packages" called '^python3 -m venv'
run_it 0 docs
expect "docs: asks for the compiler" called '^dpkg-query .* g[+][+]'
expect "docs: builds the program" called '^cmake --build .* limulus_program'

# Two fuzzers: one that ends as it should, one that does what it is told to.
mkdir -p "$clone/tests/fuzz/corpus/npy" "$clone/tests/fuzz/corpus/idx" "$clone/tests/fuzz/crashes/idx"
fuzzers() {
  local folder="$clone/build-fuzz/tests/fuzz" name
  rm -rf -- "$clone/build-fuzz"
  mkdir -p "$folder"
  for name in npy idx; do
    printf '#!/bin/bash\nprintf "%%s\n" "fuzz_%s $*" >>"%s/calls"\n%s\n' "$name" "$scratch" \
      'echo "#82156	DONE   cov: 1 ft: 6203 corp: 682/189Kb lim: 1088 exec/s: 1346 rss: 451Mb"' \
      >"$folder/fuzz_$name"
    chmod +x "$folder/fuzz_$name"
  done
  if (($#)); then printf '#!/bin/bash\n%s\n' "$1" >"$folder/fuzz_idx"; fi
}
machine
missing clang
stand_in apt-get
stand_in git
fuzzers
run_it 0 check fuzz 3
expect "fuzzing: succeeds" test "$status" = 0
expect "fuzzing: installs the compiler" called '^apt-get .*install .* clang$'
expect "fuzzing: for as many minutes as asked" called '^fuzz_npy .*-max_total_time=180 '
expect "fuzzing: with the inputs that once crashed" called '^fuzz_idx .*a clone/tests/fuzz/crashes/idx$'
expect "fuzzing: says how long it took" grep -qE '^    fuzz +[0-9]+ s, +[0-9]+ of them for building$' <<<"$out"
expect "fuzzing: says what was done" says "npy                 82156      1346      6203       682  0"
run_it 0 check fuzz 0
expect "fuzzing for no minutes: fails" test "$status" = 1
# shellcheck disable=SC2016  # for the stand-in
fuzzers 'for o; do case $o in -artifact_prefix=*) echo 1 >"${o#*=}crash-1" ;; esac; done
echo "x.cpp:7:1: runtime error: overflow"; exit 77'
run_it 0 check fuzz
expect "a fuzzer crashes: fails" test "$status" = 1
expect "a fuzzer crashes: the others run" called '^fuzz_npy .*-max_total_time=60 '
expect "a fuzzer crashes: says what failed" says "idx: x.cpp:7:1: runtime error: overflow"
expect "a fuzzer crashes: says how to repeat it" says "fuzz_idx $(printf %q "$clone")/build-fuzz/fuzz/crashes/idx-crash-1"
# shellcheck disable=SC2016  # for the stand-in
fuzzers 'for o; do case $o in -artifact_prefix=*) echo 1 >"${o#*=}timeout-1"; exit 70 ;; esac; done'
run_it 0 check fuzz
expect "an input was slow once: no fault" test "$status" = 0
# shellcheck disable=SC2016  # for the stand-in
fuzzers 'for o; do case $o in -artifact_prefix=*) echo 1 >"${o#*=}timeout-1" ;; esac; done; exit 70'
run_it 0 check fuzz
expect "an input is slow twice: fails" test "$status" = 1

machine
missing libstb-dev
stand_in apt-get
# shellcheck disable=SC2016  # for the stand-in
stand_in sudo 'while [[ $1 == -* ]]; do shift; done; exec "$@"'
run_it 1000 test
expect "user with sudo: succeeds" test "$status" = 0
expect "user with sudo: nobody is asked for a password where nobody is" \
  called '^sudo -n env DEBIAN_FRONTEND=noninteractive apt-get .*install .*libstb-dev$'

# Without root: what apt downloads is unpacked. The package brings a library's name that leads to a file
# that the machine has already, and one that leads nowhere.
without_root() {
  machine
  missing 'libstb-dev|pocl-opencl-icd'
  for tool in find ln touch; do ln -s "$(type -P "$tool")" "$scratch/bin/$tool"; done
  stand_in c++
  # shellcheck disable=SC2016  # for the stand-ins
  stand_in apt-get 'for o; do case $o in Dir::Cache=*) cache=${o#*=} ;; install) touch "$cache/archives/stb.deb" ;; esac; done'
  # shellcheck disable=SC2016
  stand_in dpkg-deb 'mkdir -p "$3/usr/bin" "$3/usr/lib"
ln -s bash "$3/usr/bin/sh-of-the-machine"; ln -s nowhere.so.1 "$3/usr/lib/libnowhere.so"'
}
without_root
run_it 1000 test
expect "user without sudo: succeeds" test "$status" = 0
expect "user without sudo: downloads" called '^apt-get .*--download-only --no-install-recommends libstb-dev$'
expect "user without sudo: unpacks" called '^dpkg-deb -x .*stb.deb .*a clone/build/no-root/root$'
expect "user without sudo: says what is left out" says "to be installed by root: pocl-opencl-icd"
expect "user without sudo: a link leads to the machine's file" \
  test "$(readlink "$clone/build/no-root/root/usr/bin/sh-of-the-machine")" = /usr/bin/bash
expect "user without sudo: another link stays" \
  test "$(readlink "$clone/build/no-root/root/usr/lib/libnowhere.so")" = nowhere.so.1
: >"$scratch/calls"
run_it 1000 test
expect "user without sudo, again: nothing is downloaded" not called '^apt-get'
expect "user without sudo, again: succeeds" test "$status" = 0

without_root
stand_in sudo 'exit 1'
run_it 1000 --no-root test
expect "--no-root: succeeds" test "$status" = 0
expect "--no-root: sudo stays unused" not called '^sudo'

without_root
stand_in apt-get 'exit 100'
run_it 1000 test
expect "without root, offline: fails" test "$status" = 1
expect "without root, offline: says what an administrator can do" \
  says "apt-get install --no-install-recommends libstb-dev"

without_root
rm "$scratch/bin/c++"
missing 'g[+][+]'
run_it 1000 test
expect "without root, no compiler: fails" test "$status" = 1
expect "without root, no compiler: says so" says "there is no C++ compiler"

machine
missing libstb-dev
stand_in apt-get 'exit 100'
run_it 0 test
expect "offline: fails" test "$status" = 1
expect "offline: says so" says "offline"
expect "offline: does not build" not called '^cmake'

machine
rm "$scratch/bin/cmake"
run_it 0 test
expect "no apt, no cmake: fails" test "$status" = 1
expect "no apt, no cmake: lists the packages" says "zlib1g-dev: reads compressed"

machine
run_it 1000 test
expect "no apt, but cmake: goes on" test "$status" = 0

machine
missing none
stand_in apt-get
stand_in cmake 'echo "CMake Error: no fmt here"; exit 1'
run_it 0 test
expect "configuring fails: fails" test "$status" = 1
expect "configuring fails: shows why" says "no fmt here"
expect "configuring fails: names the log" says "a clone/build/configure.log"

machine
missing none
stand_in apt-get
# shellcheck disable=SC2016  # for the stand-in
stand_in cmake 'if [[ $1 == --build ]]; then
echo "[1/3] Building error.cpp.o"; echo "FAILED: x.o"; echo "x.cpp:1: error: lost semicolon"; exit 1; fi'
run_it 0 test
expect "the build fails: fails" test "$status" = 1
expect "the build fails: shows the compiler's message" says "lost semicolon"
expect "the build fails: leaves out what went well" not says "Building error.cpp.o"

machine
missing none
stand_in apt-get
stand_in ctest 'exit 8'
run_it 0 test
expect "tests fail: fails" test "$status" = 8
expect "tests fail: the summary says so" says "Tests FAILED"

machine
missing none
stand_in apt-get
# shellcheck disable=SC2016  # for the stand-in
stand_in cmake 'for last; do :; done; if [[ $1 == --build ]]; then
printf "#!/bin/bash\necho trained with \"\$@\"\n" >"$2/limulus"; chmod +x "$2/limulus"; fi'
run_it 1000 alexnet --epochs 3
expect "alexnet: trains with the options" says "--epochs 3"
expect "alexnet: on the bundled photographs" says "a clone/data/flowers5"

machine
missing bubblewrap
stand_in apt-get
run_it 0 course
expect "course: succeeds" test "$status" = 0
expect "course: installs what confines submissions" called '^apt-get .*install .* bubblewrap$'
expect "course: installs the library into the build folder" \
  called '^cmake --install .*a clone/build --prefix .*a clone/build/course-prefix$'
expect "course: says what to do next" says "course/grade verify"

run_it 1000 help
expect "help: lists the commands" says "./run alexnet"
run_it 1000 bake
expect "unknown command: fails" test "$status" = 1

printf '%d passed, %d failed\n' "$((cases - failures))" "$failures"
((failures == 0))
