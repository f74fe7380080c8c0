#!/usr/bin/env bash
# `limulus manual`: a page for each command, with all that its --help has, and what bash completes.
# Usage: program_manual_test.sh LIMULUS
set -u
limulus=$(readlink -f "$1")
# shellcheck source=check.sh
source "$(dirname "$0")/check.sh"

"$limulus" manual pages > out.txt 2>&1 && prints '^[0-9]+ man pages in pages/man/man1'
result 'manual' $?

# Commands and their commands, from the help: "Subcommands:" and what is indented by two below it.
commands_below() {
  "$limulus" "$@" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z0-9]*\) .*/\1/p'
}
pages=1
check_page() { # check_page COMMAND...: has every option of its help
  local page name
  page=pages/man/man1/$(printf '%s\n' limulus "$@" | paste -sd-).1
  [ -s "$page" ]
  result "a page: $page" $?
  for name in $("$limulus" "$@" --help | grep -oE '^  (-[a-z],)?--[a-z0-9-]+' | grep -oE -- '--.*'); do
    sed 's/\\-/-/g' "$page" | grep -qE -- "[B,]$name(,|\\\\fR)"
    result "$page has $name" $?
  done
  if command -v groff > /dev/null; then
    groff -man -Tutf8 -ww -z "$page" > out.txt 2>&1 && [ ! -s out.txt ]
    result "$page as man(7)" $?
  fi
}
check_page
for command in $(commands_below); do
  pages=$((pages + 1))
  check_page "$command"
  for below in $(commands_below "$command"); do
    pages=$((pages + 1))
    check_page "$command" "$below"
  done
done
[ "$(find pages/man -type f | wc -l)" -eq "$pages" ] && [ "$pages" -gt 15 ]
result "no other pages than those of $pages commands" $?
command -v groff > /dev/null || echo "Skipped: no groff here, so the pages' markup was not checked"

# shellcheck disable=SC1091
source pages/bash-completion/completions/limulus
completes() { # completes "WANTED WORDS" COMMAND-LINE...: the last word is the one to be completed
  local wanted=$1
  shift
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  _limulus
  echo "${COMPREPLY[*]}" > out.txt
  [ "${COMPREPLY[*]}" = "$wanted" ]
  result "completes: $*" $?
}
completes 'explain' limulus expl
completes 'ladder' limulus bench la
completes '--seconds --svg' limulus bench ladder --s
completes '--layout' limulus train --lay
completes 'classes' limulus train --layout cla
completes 'classes' limulus train --layout = cla
completes 'classes cifar10' limulus train --layout = c
completes 'lenet5' limulus explain le
completes 'lenet5' limulus train --model le
completes 'kernel' limulus new ker
completes '--model' limulus figure 2 --mo
completes 'lenet5' limulus figure 2 --model le
completes '' limulus train --data ''
completes '' limulus train --nonsense

"$limulus" manual out.txt/below > err.txt 2>&1
[ $? -eq 1 ] && grep -q 'cannot make this folder' err.txt
result 'manual in a place that is no folder' $?
finish
