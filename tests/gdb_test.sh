#!/usr/bin/env bash
# tools/gdb/limulus.py: how gdb prints tensors. Usage: gdb_test.sh PROGRAM SOURCE_DIR
# Ends with 77, and says why, where there is no gdb that can run a program and has Python.
set -u
program=$1
script=$2/tools/gdb/limulus.py
skip() {
  echo "skipped: $1"
  exit 77
}
command -v gdb > /dev/null || skip 'there is no gdb (Debian: gdb)'
gdb -nx -batch -ex 'python print("works")' 2>&1 | grep -q '^works' || skip 'this gdb has no Python'
out=$(gdb -nx -batch -ex "source $script" -ex 'break look' -ex run -ex up \
  -ex 'print x' -ex 'print d' -ex 'print labels' -ex 'print half' -ex 'print large' \
  -ex 'print scalar' -ex 'print empty' -ex 'print undefined' -ex 'print fast' -ex 'print queued' \
  -ex 'print shape' "$program" 2>&1)
echo "$out" | grep -qi 'ptrace.*not permitted\|Could not trace the inferior' && skip 'gdb may not trace a program here'
failed=0
check() {
  echo "$out" | grep -Eq -- "$1" && return
  failed=$((failed + 1))
  echo "FAILED: no line /$1/"
}
check '= Tensor \[2, 3\] f32 on ReferenceBackend = \{1, 2.5, -3, 0.1, 5, 6\}$'
check '= Tensor \[2\] f64 on ReferenceBackend = \{0.1, 1e\+300\}$'
check '= Tensor \[2\] i64 on ReferenceBackend = \{7, -1\}$'
check '= Tensor \[2, 3\] bf16 on ReferenceBackend = \{1, 2.5, -3, 0.1[0-9]*, 5, 6\}$'
check '= Tensor \[100, 100\] f32 on ReferenceBackend = \{(2, ){64}\.\.\.\}$'
check '= Tensor \[\] f32 on ReferenceBackend = \{1.5\}$'
check '= Tensor \[0, 3\] f32 on ReferenceBackend = \{\}$'
check '= Tensor \(undefined\)$'
check '= Tensor \[2\] f32 on (Cpu|Reference)Backend = \{3, 3\}$'
check "= Tensor \[2\] f32 on QueuedBackend \(in the device's memory\)$"
check '= \[4, 5\]$'
[ "$failed" -eq 0 ] || echo "$out"
[ "$failed" -eq 0 ]
