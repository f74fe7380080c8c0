#!/usr/bin/env bash
# `mpirun -n 4 limulus train`: the same bits for any number of ranks.
# Usage: program_ranks_test.sh PROGRAM SOURCE_DIR WITH_MPI
set -u
limulus=$1
source_dir=$2
with_mpi=$3
# shellcheck source=check.sh
source "$(dirname "$0")/check.sh"

two_classes "$source_dir"
begin=("$limulus" train --model cifar-convnet --data data --batch 8 --workers 0)
train=("${begin[@]}" --epochs 2)

check 'ranks that would have nothing to do' 2 'exchange: .* gradients' "${train[@]}" --exchange both
if [ "$with_mpi" != ON ]; then
  check 'a build without MPI says what to install' 1 'this build has no MPI.*libopenmpi-dev' \
    env OMPI_COMM_WORLD_SIZE=2 "${train[@]}"
  finish
  exit
fi
if ! command -v mpirun > /dev/null; then
  echo "skipped: there is no mpirun (Debian's openmpi-bin)"
  exit 77
fi

# ranks N ARGUMENT...: on this machine, as root, too, which is what a container has.
ranks() {
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
    OMPI_MCA_btl=self,vader,tcp OMPI_MCA_btl_tcp_if_include=lo \
    timeout -k 5 120 mpirun --bind-to none -n "$1" "${@:2}" < /dev/null
}

# same_run NAME FOLDER FOLDER: all tensors, but for the times in history/epochs.
same_run() {
  for run in "$2" "$3"; do
    "$limulus" convert "$run/checkpoint.safetensors" "$run/weights" --all > out.txt 2>&1
  done
  diff -r -x epochs.npy "$2/weights" "$3/weights" > out.txt 2>&1 && ls "$2"/weights/*conv1.weight.npy > /dev/null
  result "$1" $?
}

for exchange in gradients factors; do
  cut=(--micro-batches 6 --exchange "$exchange")
  check "$exchange: by itself" 0 '^Checkpoint' "${train[@]}" "${cut[@]}" --out $exchange-alone
  for n in 2 3 4; do
    check "$exchange: $n ranks" 0 "^What each of $n ranks sends in a step" \
      ranks $n "${train[@]}" "${cut[@]}" --out $exchange-$n
    also "$exchange: the traffic of a layer" "^fc[0-9.]*weight +${exchange%s}"
    result "$exchange: rank 0 alone prints" "$([ "$(grep -c '^Checkpoint' out.txt)" = 1 ]; echo $?)"
    same_run "$exchange: $n ranks end with the bits of one" $exchange-alone $exchange-$n
  done
done

# ---- alexnet-towers with a tower in each of two ranks --------------------------------------------------
towers=("$limulus" train --model alexnet-towers --data data --batch 10 --workers 0 --epochs 1)
check 'towers: by themselves' 0 '^Checkpoint' "${towers[@]}" --out towers-alone
check 'towers: in two ranks' 0 '^Ranks +2, with one tower each' ranks 2 "${towers[@]}" --out towers-2
also 'towers: what went back' '^the other tower +gradients +[1-9]'
same_run 'towers: two ranks end with the bits of one' towers-alone towers-2
rm -rf towers-alone towers-2 # two gigabytes
check 'towers: three ranks' 1 'train alexnet-towers with a tower each' ranks 3 "${towers[@]}" --out refused
check 'towers: frozen layers' 1 'tower0.conv1 is not to be trained' \
  ranks 2 "${towers[@]}" --freeze tower0.conv1 --out refused

# ---- what goes wrong ends all ranks, with a message that names one --------------------------------------
cut=(--micro-batches 6 --exchange factors)
check 'a rank with another setting' 1 'rank 1 of 2 .* does not fit together with rank 0 .*: the setting "lr" is' \
  ranks 1 "${train[@]}" "${cut[@]}" --out refused : -n 1 "${train[@]}" "${cut[@]}" --lr 0.125 --out refused
check 'a rank without the pictures' 1 'rank 1 of 2 .*elsewhere: ' \
  ranks 1 "${train[@]}" "${cut[@]}" --out refused : -n 1 "${train[@]}" "${cut[@]}" --data elsewhere --out refused

# A run of three ranks; `hurt SIGNAL RANK` sends one of them the signal as soon as there is a checkpoint.
long=("${begin[@]}" "${cut[@]}" --epochs 60)
hurt() {
  local children run
  rm -rf hurt
  ranks 3 "${long[@]}" --checkpoint-minutes 0.0001 --out hurt &
  run=$!
  until [ -s hurt/checkpoint.safetensors ] || ! kill -0 $run 2> /dev/null; do sleep 0.05; done
  mapfile -t children < <(pgrep -f -- "^$limulus train .* --out hurt$" | sort -n)
  if [ "${#children[@]}" -eq 3 ]; then
    if [ "$1" = FREEZE ]; then freeze "${children[$2]}"; else kill -"$1" "${children[$2]}"; fi
  fi
  wait $run
}
"${long[@]}" --out whole > out.txt 2>&1
for rank in 0 2; do
  n=$((rank / 2 + 1))
  check "rank $rank is killed" 137 'mpirun noticed that process rank' hurt KILL $rank
  check "$n ranks go on" 0 '^Checkpoint' ranks $n "${long[@]}" --resume --out hurt
  same_run "$n ranks go on where rank $rank was killed, to the same bits" whole hurt
done
export LIMULUS_RANK_SECONDS=1
check 'a rank that hangs is named' 1 'rank [0-2] of 3 \(process [0-9]+ on .*\) has not answered for [1-3] s' hurt STOP 1
freezer=
# Its process lives, and its first thread stands still: a debugger holds it.
freeze() {
  python3 -c '
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
seize, interrupt = 0x4206, 0x4207
for request in seize, interrupt:
    if libc.ptrace(request, int(sys.argv[1]), None, None) != 0:
        sys.exit(ctypes.get_errno() or 1)
print("frozen", flush=True)
time.sleep(60)' "$1" > frozen.txt &
  freezer=$!
  until [ -s frozen.txt ] || ! kill -0 $freezer 2> /dev/null; do sleep 0.05; done
}
# A rank that stands still within MPI, whose lock its beats need, is missed by the others first: it is
# named then, too, and frozen again in another run, until it stands still while it computes.
freeze_computing() {
  local status
  for _ in 1 2 3 4 5 6 7 8; do
    rm -f frozen.txt
    hurt FREEZE 1 > try.txt 2>&1
    status=$?
    [ "$freezer" ] && kill "$freezer" 2> /dev/null
    grep -q 'rank 1 of 3 .* has not answered for' try.txt || break
  done
  cat try.txt
  return $status
}
if python3 -c '' 2> /dev/null; then
  export LIMULUS_RANK_SECONDS=3 # on a busy machine a rank that is well may be silent for one
  check 'a rank whose computing thread hangs is named' 1 \
    'rank 1 of 3 \(process [0-9]+ on .*\) has computed nothing for 7 s' freeze_computing
fi
unset LIMULUS_RANK_SECONDS
check 'and four ranks go on' 0 '^Checkpoint' ranks 4 "${long[@]}" --resume --out hurt
same_run 'to the same bits' whole hurt

check 'one rank resumes, and one does not' 1 'the option --resume is' \
  ranks 1 "${long[@]}" --resume --out whole : -n 1 "${long[@]}" --out whole
check 'and the other way round' 1 'the option --resume is' \
  ranks 1 "${long[@]}" --out whole : -n 1 "${long[@]}" --resume --out whole

check 'more ranks than micro-batches' 1 '2 ranks share the micro-batches of a batch, and there is 1' \
  ranks 2 "${train[@]}" --out refused
check 'a sweep of rates is made alone' 1 'leave out mpirun' \
  ranks 2 "$limulus" train --model cifar-convnet --data data --find-rate --out refused
finish
