#!/usr/bin/env bash
# A network from an ONNX file, from its first look to ONNX again. Usage: program_onnx_test.sh PROGRAM SOURCE_DIR
set -u
limulus=$1
source_dir=$2
# shellcheck source=check.sh
source "$(dirname "$0")/check.sh"

two_classes "$source_dir"
train=("$limulus" train --data data --batch 4)
check 'a checkpoint to begin with' 0 'Checkpoint' "${train[@]}" --model cifar-convnet --epochs 1 --out first
first=first/checkpoint.safetensors
"$limulus" convert "$first" net.onnx > out.txt 2>&1
if prints 'neither reads nor writes ONNX'; then
  check 'without ONNX: what to install' 1 'libonnx-dev and libprotobuf-dev' "$limulus" explain net.onnx
  echo 'skipped: this build has no ONNX'
  finish
  exit
fi

# ---- out ------------------------------------------------------------------------------------------
check 'convert' 0 '^11 nodes and .* numbers of cifar-convnet from first/checkpoint.safetensors to net.onnx, as ONNX of opset 17$' \
  "$limulus" convert "$first" net.onnx
also 'a note where it was there' 'net.onnx was there before; it was replaced'
check 'convert: nothing but a checkpoint' 1 'has no "config" in its metadata' bash -c \
  "'$limulus' convert '$first' plain.safetensors && '$limulus' convert plain.safetensors x.onnx"
check 'convert: options that do not fit' 1 'with all of its weights in f32, and nothing else' \
  "$limulus" convert "$first" x.onnx --bf16
check 'convert: from ONNX' 1 'is read by --model of train, explain and bench' "$limulus" convert net.onnx x.safetensors
for name in classes preprocessing normalization limulus; do grep -aq "$name" net.onnx || echo "$name"; done > out.txt
[ ! -s out.txt ]
result 'metadata' $?

# ---- in -------------------------------------------------------------------------------------------
mkdir nets
mv net.onnx nets/net.onnx
check 'explain' 0 '^conv1 +floor\(\(32 - 5 \+ 2\*2\)/1\) \+ 1 = 32 ' "$limulus" explain --model nets/net.onnx
cp out.txt walk.txt
check 'explain, without the word --model' 0 . "$limulus" explain nets/net.onnx
same 'it is the same' out.txt walk.txt
check 'explain: an element' 0 'net.onnx, weights of the file, input drawn' \
  "$limulus" explain nets/net.onnx --layer conv1 --element 0,1,1
check 'bench' 0 'images/s' "$limulus" bench --model nets/net.onnx --batch 2 --repeat 1 --threads 1
check 'figure 2' 0 'net.svg' "$limulus" figure 2 --model nets/net.onnx --out net.svg
check 'train' 0 '^Begins +with nets/net.onnx \(ONNX\): conv1, ' "${train[@]}" --model nets/net.onnx --epochs 2 --out run
check 'a folder by its name' 0 'runs/net/report.html' "${train[@]}" --model nets/net.onnx --epochs 1
check 'weights are drawn by no recipe' 2 '--recipe filters draws the first weights, and net.onnx has its own' \
  "${train[@]}" --model nets/net.onnx --recipe filters --out x
check 'no dropout in it' 2 'net.onnx has no dropout' "${train[@]}" --model nets/net.onnx --dropout 0.5 --out x
check 'find-rate' 0 'rates.html' "${train[@]}" --model nets/net.onnx --find-rate --out rates

# A file of weights like any other, for a network that has a name.
check 'init' 0 '^Begins +with nets/net.onnx \(ONNX\): conv1, .*fc4' "${train[@]}" --model cifar-convnet --init nets/net.onnx --epochs 1 --out begun
also 'init: the pixels, too, as there' 'pixels become its input as in that file'
check 'init: nothing fits' 1 'nothing in this file fits lenet5' "${train[@]}" --model lenet5 --init nets/net.onnx --out x
printf 'daisy\nroses\n' > names.txt
check 'import for it' 0 'imported.safetensors' "$limulus" import plain.safetensors --model nets/net.onnx --classes names.txt \
  --normalization unit -o imported.safetensors
check 'import for it: a file without its last layer' 1 'conv1.weight: expected \[32, 3, 5, 5\]' \
  "$limulus" import "$source_dir/data/trained/digits.safetensors" --model nets/net.onnx --classes names.txt \
  --normalization unit -o imported.safetensors

# What is trained needs the file no more.
mv nets elsewhere
trained=run/checkpoint.safetensors
picture=$(find data/test/roses -name '*.jpg' | sort | head -1)
check 'evaluate' 0 'top-1' "$limulus" evaluate "$trained"
check 'predict' 0 'roses' "$limulus" predict "$trained" "$picture"
check 'look' 0 'look.html' "$limulus" look "$trained" "$picture" --out look.html
check 'explain --checkpoint' 0 '^conv1 ' "$limulus" explain --checkpoint "$trained"
check 'figure 3: the start is not known' 1 'which the checkpoint does not have' "$limulus" figure 3 "$trained"
check 'figure 3: the filters are' 0 'filters.png' "$limulus" figure 3 "$trained" --out filters.png
check 'bf16' 0 'as bf16' "$limulus" convert "$trained" small.safetensors --bf16
check 'and evaluate' 0 'top-1' "$limulus" evaluate small.safetensors --data data
check 'resume' 0 'all of them are done' "${train[@]}" --resume --out run
check 'resume with another file' 1 'network: the checkpoint has other layers' bash -c \
  "'$limulus' train --data data --batch 4 --model lenet5 --epochs 1 --out l && '$limulus' convert l/checkpoint.safetensors net.onnx &&
   '$limulus' train --resume --out run --model net.onnx"
check 'and ONNX again' 0 'of net.onnx from run' "$limulus" convert "$trained" again.onnx
check 'which is read' 0 '^conv1 ' "$limulus" explain again.onnx

check 'another number of classes: the last layer begins anew' 0 'fc4 starts anew: its .* classes are others|fc4 starts anew: fc4.weight is ' \
  bash -c "cp -r data three && mkdir -p three/train/tulips three/test/tulips &&
           cp data/train/roses/*.jpg three/train/tulips && cp data/test/roses/*.jpg three/test/tulips &&
           '$limulus' train --model again.onnx --data three --epochs 1 --batch 4 --out three_run"

check 'a frozen layer that begins anew' 0 'fc4 stay as they were drawn at random' \
  "$limulus" train --model again.onnx --data three --freeze fc4 --epochs 1 --batch 4 --out three_frozen

# ---- what is no network -----------------------------------------------------------------------------
head -c 1000 again.onnx > cut.onnx
mkfifo pipe.onnx
check 'a file that was cut' 1 'cut.onnx: this is not an ONNX file, or it was cut or damaged' "$limulus" explain cut.onnx
check 'a pipe' 1 'pipe.onnx: is a named pipe' "$limulus" train --model pipe.onnx --data data --out x
check 'nothing' 1 'none.onnx: cannot open' "$limulus" bench --model none.onnx
check 'two devices' 1 'lives on one device' "${train[@]}" --model again.onnx --device cpu:0/2,cpu:1/2 --out x
finish
