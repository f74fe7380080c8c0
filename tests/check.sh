# What the tests of the program share: a folder of their own, checks that are counted, and the end.
# To be sourced first, with the names of program and sources made absolute before:
#
#     source "$(dirname "$0")/check.sh"
#     check NAME EXPECTED_STATUS PATTERN COMMAND...
#     finish
#
# What the last command printed, stdout and stderr together, is in out.txt.
# shellcheck shell=bash
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
passed=0
failed=0
: > out.txt

# result NAME STATUS: counts; where the status is not 0, shows out.txt, with what is invisible.
result() {
  if [ "$2" -eq 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $1; printed:"
    sed 's/^/  | /' out.txt | cat -v | head -20
  fi
}

# prints PATTERN: whether an extended regular expression is in out.txt, whatever its bytes are.
prints() { LC_ALL=C grep -Eaq -- "$1" out.txt; }

# check NAME EXPECTED_STATUS PATTERN COMMAND...: status, and what is printed. A command that waits for
# ever ends with status 124 (but a function of the test's own: timeout cannot run one).
check() {
  local name=$1 expected=$2 pattern=$3 status limit=(timeout -k 5 300)
  shift 3
  [ "$(type -t "$1")" = function ] && limit=()
  "${limit[@]}" "$@" > out.txt 2>&1 < /dev/null
  status=$?
  [ "$status" -eq "$expected" ] && prints "$pattern"
  result "$name: $* (status $status, expected $expected, wanted /$pattern/)" $?
}

# also NAME PATTERN: the same output holds this, too.
also() {
  prints "$2"
  result "$1 (wanted /$2/)" $?
}

# same NAME FILE FILE: byte for byte.
same() {
  cmp -s "$2" "$3"
  result "$1: $2 and $3 differ" $?
}

# unseen NAME: what was printed last has no control character and no turned direction.
unseen() {
  ! LC_ALL=C grep -Paq '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]' out.txt
  result "$1: printed raw" $?
}

# two_classes SOURCE_DIR: photographs of two kinds of flowers in data/train and data/test, ten of each.
two_classes() {
  local class part
  for class in daisy roses; do
    for part in train test; do
      mkdir -p "data/$part/$class"
      find "$1/data/flowers5/$part/$class" -name '*.jpg' | sort | head -10 |
        xargs cp -t "data/$part/$class"
    done
  done
}

# finish: how many passed; the status of the test.
finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}
