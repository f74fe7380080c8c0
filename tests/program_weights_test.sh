#!/usr/bin/env bash
# Weights from elsewhere, in the program: import, train --init and --freeze, a run that becomes
# longer, and slim checkpoints. Usage: program_weights_test.sh PROGRAM SOURCE_DIR
set -u
limulus=$1
source_dir=$2
# shellcheck source=check.sh
source "$(dirname "$0")/check.sh"

two_classes "$source_dir"
train=("$limulus" train --model lenet5 --data data --batch 5)
check 'a run to begin with' 0 'Held-out' "${train[@]}" --epochs 2 --schedule constant --out first
checkpoint=first/checkpoint.safetensors
picture=$(find data/test/roses -name '*.jpg' | sort | head -1)

# ---- import -----------------------------------------------------------------------------------------
check 'plain weights' 0 '10 tensors' "$limulus" convert "$checkpoint" plain.safetensors
printf 'daisy\nrose\n' > names.txt
import=("$limulus" import plain.safetensors --model lenet5)
check 'import' 0 '^Weights +10 tensors, 61,026 numbers, from plain.safetensors \(safetensors\)' \
  "${import[@]}" --classes names.txt --normalization imagenet -o imported.safetensors
also 'its classes' '^Classes +2: daisy, rose'
also 'its pixels' 'mean 0.485, 0.456, 0.406, std 0.229, 0.224, 0.225; the middle 28 x 28'
check 'predict' 0 '^  (daisy|rose ) +[0-9.]+ %' "$limulus" predict imported.safetensors "$picture"
mkdir -p other/daisy other/rose
cp data/test/daisy/*.jpg other/daisy && cp data/test/roses/*.jpg other/rose
check 'evaluate' 0 'single crop' "$limulus" evaluate imported.safetensors --data other
check 'evaluate without pictures' 1 'which pictures\? The weights in imported.safetensors were imported.*--data' \
  "$limulus" evaluate imported.safetensors
check 'look' 0 'imported.html|MB' "$limulus" look imported.safetensors "$picture" --out imported.html
check 'the page says why there are no neighbours' 0 'no pictures belong to it' cat imported.html
check 'figure 3' 0 'figure3.html' "$limulus" figure 3 imported.safetensors --out figure3.html
check 'it shows no start that was none' 0 'did not begin as random numbers, but as those of plain.safetensors' cat figure3.html
check 'explain' 0 'conv1' "$limulus" explain --layer conv1 --element 0,0,0 --checkpoint imported.safetensors --image "$picture"
check 'bench' 0 'lenet5 on .*inference, batch 2' \
  "$limulus" bench --checkpoint imported.safetensors --batch 2 --repeat 1 --inference
check 'bench: a checkpoint has its network' 2 'excludes' \
  "$limulus" bench --checkpoint imported.safetensors --model alexnet
check 'report' 1 'it has a network, but no run that could be reported' "$limulus" report imported.safetensors
check 'an unscaled mean' 0 'mean 0.13, 0.13, 0.13, std 0.31' \
  "${import[@]}" --classes names.txt --mean 0.13 --std 0.31 -o grey.safetensors
check 'a mean of each colour, and a file behind it' 0 'mean 0.1, 0.2, 0.3, std 0.5, 0.5, 0.5' "$limulus" import \
  --model lenet5 --classes names.txt --std 0.5 --mean 0.1,0.2,0.3 plain.safetensors -o colours.safetensors
check 'what was there is replaced, and it is said' 0 'note: grey.safetensors was there before' \
  "${import[@]}" --classes names.txt --normalization unit -o grey.safetensors
cp imported.safetensors before.safetensors
fails() { # fails NAME STATUS PATTERN ARGUMENT...: of import; what is there stays as it is
  local name=$1 status=$2 pattern=$3
  shift 3
  check "import: $name" "$status" "$pattern" "$limulus" import "$@" -o imported.safetensors
  same "import: $name: nothing is lost" before.safetensors imported.safetensors
}
pixels=(--normalization imagenet)
named=(--classes names.txt)
fails 'nothing on pixels' 2 '--normalization takes imagenet, unit, half' plain.safetensors --model lenet5 "${named[@]}"
fails 'an unknown normalization' 2 "did you mean 'imagenet'" plain.safetensors --model lenet5 "${named[@]}" --normalization imagenett
fails 'two numbers' 1 '2 numbers; give three, or one' plain.safetensors --model lenet5 "${named[@]}" --mean 0.1,0.2
fails 'a deviation of 0' 1 'must be from 0.001' plain.safetensors --model lenet5 "${named[@]}" --std 0
fails 'a mean of other pixels' 1 '--mean 128 is no mean of pixels in .0, 1.\. Of pixels from 0 to 255\? Then give 128 / 255 = 0.502, .*1 / 255 = 0.003922' \
  plain.safetensors --model lenet5 "${named[@]}" --mean 128
fails 'a deviation of other pixels' 1 '--std 58 .*58 / 255 = 0.2275' plain.safetensors --model lenet5 "${named[@]}" --mean 0.5 --std 58
fails 'a mean that none can be' 1 '--mean -0.1 is no mean of pixels in .0, 1.$' plain.safetensors --model lenet5 "${named[@]}" --mean=-0.1
fails 'no such network' 1 "did you mean 'lenet5'" plain.safetensors --model lenet6 "${named[@]}" "${pixels[@]}"
fails 'another network' 1 'They fit --model lenet5' plain.safetensors --model cifar-convnet "${named[@]}" "${pixels[@]}"
also 'what is missing' '  missing: fc4.weight \[2, 1024\]|fc4.weight: expected'
fails 'no such file' 1 'none.safetensors: ' none.safetensors --model lenet5 "${named[@]}" "${pixels[@]}"
fails 'a folder' 1 'first: is a folder, and weights are read from a file: first/checkpoint.safetensors' \
  first --model lenet5 "${named[@]}" "${pixels[@]}"
fails 'a photograph' 1 'safetensors' "$picture" --model lenet5 "${named[@]}" "${pixels[@]}"
printf 'PK\3\4xxxxxxxxxxxxxxxxxxxxxxxxxxnet/data.pkl' > net.pth
fails 'a file of torch.save' 1 'import torch, safetensors.torch as s; s.save_file' net.pth --model lenet5 "${named[@]}" "${pixels[@]}"
printf 'a\nb\nc\n' > three.txt
fails 'three names' 1 'names 3 classes, but the network in plain.safetensors has 2 outputs' \
  plain.safetensors --model lenet5 --classes three.txt "${pixels[@]}"
: > empty.txt
fails 'no names' 1 'empty.txt: it has no names' plain.safetensors --model lenet5 --classes empty.txt "${pixels[@]}"
printf 'a\na\n' > twice.txt
fails 'one name twice' 1 'line 2 is "a", as line 1 is' plain.safetensors --model lenet5 --classes twice.txt "${pixels[@]}"
mkfifo pipe
fails 'a pipe as classes' 1 'is a named pipe' plain.safetensors --model lenet5 --classes pipe "${pixels[@]}"
head -c 3000 plain.safetensors > cut.safetensors
fails 'a file that was cut' 1 'cut.safetensors: ' cut.safetensors --model lenet5 "${named[@]}" "${pixels[@]}"
check 'import: onto itself' 1 'would be replaced by what is made from it' \
  "${import[@]}" "${named[@]}" "${pixels[@]}" -o plain.safetensors
check 'import: into no folder' 1 'nowhere/x.safetensors: cannot create' \
  "${import[@]}" "${named[@]}" "${pixels[@]}" -o nowhere/x.safetensors

# ---- train --init, --freeze -------------------------------------------------------------------------
check 'init: a head for other classes' 0 'conv1, conv2, fc3, fc4, 60,856 numbers' \
  "$limulus" train --model lenet5 --data other --batch 5 --epochs 1 --init "$checkpoint" --freeze conv1-conv2 --out tuned
also 'it starts anew' 'fc5 starts anew: its 2 classes are others \(daisy, roses\)'
also 'what is frozen' '^Frozen  conv1, conv2: 58,454 of 61,026 parameters are trained'
"$limulus" convert tuned/checkpoint.safetensors tuned_npy > out.txt
"$limulus" convert "$checkpoint" first_npy > out.txt
for frozen in conv1.weight conv1.bias conv2.weight conv2.bias; do
  same 'a frozen layer keeps its bits' "first_npy/$frozen.npy" "tuned_npy/$frozen.npy"
done
check 'it goes on as it began' 0 '^Frozen  conv1, conv2: 58,454' "$limulus" train --out tuned --resume --epochs 2
check 'init: from an imported checkpoint' 0 'Begins  with imported.safetensors \(a checkpoint of lenet5\)' \
  "${train[@]}" --epochs 1 --init imported.safetensors --out from_imported
check 'init: plain weights' 0 'Begins  with plain.safetensors \(safetensors\): conv1, conv2, fc3, fc4, fc5' \
  "${train[@]}" --epochs 1 --init plain.safetensors --out from_plain
check 'find-rate begins there, too' 0 'Begins  with plain.safetensors' \
  "${train[@]}" --init plain.safetensors --find-rate --out rates
check 'frozen as drawn' 0 'note: conv1 stay as they were drawn at random' "${train[@]}" --epochs 1 --freeze conv1 --out drawn
refused() { # refused NAME STATUS PATTERN OPTION...: of train, which makes no checkpoint
  local name=$1 status=$2 pattern=$3
  shift 3
  check "train: $name" "$status" "$pattern" "${train[@]}" --out refused "$@"
  [ ! -e refused/checkpoint.safetensors ]
  result "train: $name: no checkpoint" $?
}
refused 'init: a folder' 1 'first: is a folder.*first/checkpoint.safetensors' --init first
refused 'init: no such file' 1 'none' --init none.safetensors
refused 'init: weights of another network' 1 'nothing in this file fits lenet5' --init "$source_dir/data/trained/convolutions.safetensors"
refused 'init: a file of torch.save' 1 'safetensors.torch' --init net.pth
refused 'init and resume' 2 'excludes' --init "$checkpoint" --resume
refused 'freeze: no such layer' 1 "no layer 'conv7'; did you mean 'conv" --freeze conv7
refused 'freeze: backwards' 1 'conv2 comes behind conv1 in the network: conv1-conv2' --freeze conv2-conv1
refused 'freeze: everything' 1 "all of the network's layers" --freeze conv1-fc5
refused 'freeze: nothing' 2 'freeze' --freeze ''
check 'resume: other layers' 1 'freeze: "conv1,conv2" in the checkpoint, "conv1" now' \
  "$limulus" train --out tuned --resume --freeze conv1

# ---- a run that becomes longer ----------------------------------------------------------------------
check 'a run of four epochs' 0 'Held-out' "${train[@]}" --epochs 4 --schedule constant --out four
cp -r first longer
check 'two more epochs' 0 'goes on in epoch 3' "$limulus" train --out longer --resume --epochs 4
also 'its rates are told (a recipe has a warm-up)' 'the run had 2 epochs and now has 4: from step 9 on'
check 'with snapshots' 0 'Held-out' "${train[@]}" --epochs 1 --snapshots 1 --out series
check 'a series goes on in a longer run' 0 'snapshots.html' "$limulus" train --out series --resume --epochs 2 --snapshots 1
also 'the later epoch is in it' 'Snapshots .*'
check 'not fewer' 1 'A run can be made longer than its 4 epochs, but not shorter' \
  "$limulus" train --out longer --resume --epochs 3

# ---- slim -------------------------------------------------------------------------------------------
check 'slim' 0 '^61,026 weights from .* as f32, without velocities: [0-9,]+ bytes, 5[0-9] % of [0-9,]+$' \
  "$limulus" convert "$checkpoint" slim.safetensors --slim
check 'bf16' 0 'as bf16, without velocities: [0-9,]+ bytes, [23][0-9] % of' \
  "$limulus" convert "$checkpoint" half.safetensors --slim --bf16
for file in slim half; do
  check "$file: predict" 0 '%' "$limulus" predict $file.safetensors "$picture"
  check "$file: evaluate" 0 'single crop' "$limulus" evaluate $file.safetensors
  check "$file: report" 0 'Report' "$limulus" report $file.safetensors --out $file.html
  mkdir $file && cp $file.safetensors $file/checkpoint.safetensors
  check "$file: resume" 1 "it has no velocities.*train --init $file/checkpoint.safetensors" \
    "$limulus" train --out $file --resume --data data
  check "$file: init" 0 'Begins  with' "${train[@]}" --epochs 1 --init $file.safetensors --out again_$file
done
check 'slim: of plain weights' 1 'this is not a training checkpoint' "$limulus" convert plain.safetensors no.safetensors --slim
check 'slim: into a folder' 1 'must be a .safetensors file' "$limulus" convert "$checkpoint" folder --slim
check 'slim: onto itself' 1 'would replace what it is made from' "$limulus" convert "$checkpoint" "$checkpoint" --slim
finish
