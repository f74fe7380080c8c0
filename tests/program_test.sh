#!/usr/bin/env bash
# The `limulus` program as people use it: what it prints, its exit status, and that nothing is lost
# when it is interrupted. Usage: program_test.sh PROGRAM SOURCE_DIR
set -u
limulus=$1
source_dir=$2
# shellcheck source=check.sh
source "$(dirname "$0")/check.sh"

# ---- help and usage -------------------------------------------------------------------------------
check 'help' 0 'explain .*train|train' "$limulus" --help
for command in explain train evaluate predict look report figure gradcheck bench devices convert import; do
  check "$command --help has an example" 0 'Example: limulus' "$limulus" "$command" --help
done
check 'no command' 2 'subcommand' "$limulus"
check 'unknown option' 2 'train has no option --fast' "$limulus" train --fast
check 'zero threads' 2 'threads' "$limulus" bench --threads 0
check 'zero threads in the environment' 1 'LIMULUS_THREADS is "0"' env LIMULUS_THREADS=0 "$limulus" devices
if "$limulus" devices | grep -q '^opencl:0'; then
  check 'tune --help has an example' 0 'Example: limulus' "$limulus" tune --help
  check 'tune: no such sizes' 1 "no sizes 'rnu'; did you mean 'run'\? There are tile" \
    "$limulus" tune --only run,rnu --dry-run
  check 'OpenCL: no fallback in training' 0 'Held-out accuracy' env LIMULUS_STRICT=1 \
    "$limulus" train --model lenet5 --data "$source_dir/data/flowers5" --epochs 1 --batch 250 \
    --device opencl:0 --out on_opencl
  check 'OpenCL: --resume keeps the device' 0 'Device .*OpenCL [1-9]' "$limulus" train --out on_opencl --resume
  check 'OpenCL: bf16 is for the processor' 1 'cannot read weights stored as bf16' "$limulus" \
    bench --model lenet5 --batch 1 --repeat 1 --inference --weights bf16 --device opencl:0
else
  echo 'skipped: tune and training on OpenCL: there is no OpenCL device'
fi
if [ -e /dev/full ]; then
  check 'a full disk below stdout' 1 'could not be written' sh -c "'$limulus' explain > /dev/full"
fi

# ---- explain, devices, gradcheck, bench -------------------------------------------------------------
check 'explain' 0 'floor\(\(227 - 11 \+ 2\*0\)/4\) \+ 1 = 55' "$limulus" explain alexnet
check 'explain: parameters' 0 '60,965,224' "$limulus" explain
check 'scale: machines without an image are named' 0 'Left out: 4, 8 machines, more than the 3 images' \
  "$limulus" scale --model lenet5 --machines 1..8 --batch 3 --seconds 1,0,0
check 'scale --json names them, too' 0 '"machines_without_an_image": *\[ *4, *8 *\]' \
  sh -c "'$limulus' scale --model lenet5 --machines 1..8 --batch 3 --seconds 1,0,0 --json | tr -d '\\n'"
check 'scale: a step of 0 s' 1 'a step of one machine takes 0 s' "$limulus" scale --model lenet5 --seconds 0,0,0
check 'explain --json' 0 '"parameters": *34944' "$limulus" explain --json
check 'explain --layer' 0 '27 - 5 \+ 2\*2' "$limulus" explain --layer conv2
check 'explain: no such layer' 1 "no layer 'conv9'; did you mean 'conv1'\? There are conv1" "$limulus" explain --layer conv9
check 'explain: no such model' 1 "did you mean 'alexnet'" "$limulus" explain alexnett
check 'explain: impossible size, and the layer' 1 '^error: conv1: conv2d: .*floor\(\(7 - 11 \+ 2\*0\)/4\) \+ 1' "$limulus" explain --size 7
check 'devices' 0 '^cpu ' "$limulus" devices
check 'unknown instruction set' 1 'LIMULUS_ISA' env LIMULUS_ISA=sse9 "$limulus" devices
check 'unknown device' 1 'Here there are: cpu, reference' "$limulus" bench --model lenet5 --device gpu7
check 'gradcheck' 0 'OK' "$limulus" gradcheck --layer softmax --backend cpu
check 'gradcheck: all' 0 'cases have the right gradient' "$limulus" gradcheck
check 'gradcheck: random configurations' 0 '^60 of 60 cases' "$limulus" gradcheck --random 60
check 'gradcheck: a mistake of the bank' 0 'WRONG' "$limulus" gradcheck --mutation conv2d-w-flipped
check 'gradcheck: no such mistake' 1 'there are conv2d-x-flipped' "$limulus" gradcheck --mutation none
check 'gradcheck: a page and a file' 0 'right gradient' "$limulus" gradcheck --layer linear --html "$folder/g.html" --json "$folder/g.json"
check 'gradcheck: the page' 0 'Gradients of linear' cat "$folder/g.html"
check 'gradcheck: the file' 0 '"verdict": "OK"' cat "$folder/g.json"
check 'gradcheck: for another framework' 0 '20 configurations are in' "$limulus" gradcheck --export "$folder/gradients" --random 20
check 'gradcheck: no such layer' 1 '[Tt]here are' "$limulus" gradcheck --layer conv9d
if "$limulus" devices | grep -q '^opencl:0'; then # a ladder of its own, whose rungs are compared
  rungs=$source_dir/tools/bench/ladder
  ladder() { "$limulus" bench ladder --device opencl:0 --seconds 0 "$@"; }
  edited() { # edited FILE EXPRESSION: a folder of rungs, edited by sed
    rm -rf edited && mkdir edited && cp "$rungs"/*.cl edited && sed -i "$2" "edited/$1"
  }
  check 'bench ladder, OpenCL' 0 'packing included' ladder --rungs "$rungs"
  also 'bench ladder, OpenCL: normalization' '1024 pixels of all channels'
  edited product_rungs.cl 's/acc\[i\]\[1\] += ai \* b1/acc[i][1] += ai * b0/'
  check 'a rung that is wrong' 1 "'a tile of 4 x 16.* gives .* textbook loops" ladder --rungs edited
  edited lrn_rungs.cl 's/c + 2 < channels/c + 3 < channels/'
  check 'a rung of the other ladder' 1 "'16 pixels of all.* gives .* textbook loops" ladder --rungs edited
  edited product_rungs.cl 's/float sum = 0;/float sum = 0/'
  check 'a rung that does not build' 1 'does not build: CL_BUILD_PROGRAM_FAILURE' ladder --rungs edited
  check 'a ladder on some threads' 1 'opencl:0/2' ladder --threads 1
else
  check 'bench ladder without OpenCL' 1 'opencl:0.*install' "$limulus" bench ladder --device opencl:0
fi
check 'bench' 0 'images/s' "$limulus" bench --model lenet5 --batch 4 --repeat 1
check 'bench: bf16 does not learn' 1 'add --inference' "$limulus" bench --model lenet5 --weights bf16
check 'bench --weights bf16' 0 '"linear_weights": "bf16"' "$limulus" bench --model lenet5 \
  --batch 1 --repeat 1 --inference --json --weights bf16
# 2 images, 84 x 7 weights, a multiplication and an addition for each
check 'bench --classes' 0 '"forward_flops": 2352.0' "$limulus" bench --model lenet5 --batch 2 --repeat 1 \
  --classes 7 --layer fc5 --json
if "$limulus" devices | grep -q '^opencl:0'; then
  check 'bench: the host of a queue' 0 'of its own work: [0-9.]* % of the step' "$limulus" bench \
    --model lenet5 --device opencl:0 --batch 4 --repeat 1
fi
check 'bench --json' 0 '"images_per_second"' "$limulus" bench --model lenet5 --batch 4 --repeat 1 --json
check 'bench --svg' 0 'The roofline as a picture' "$limulus" bench --model lenet5 --batch 4 --repeat 1 --svg roofline.svg
check 'the roofline' 0 '</svg>' tail -1 roofline.svg
# Whose method it was, and which layers ran as one, shows in what bench prints: the fast kernels' here
# (without AVX2 textbook loops serve, which have one method).
# Every variable is read when the program begins, also where this run would not need it.
check 'LIMULUS_CONV=fast' 1 'LIMULUS_CONV is "fast", but must be direct or winograd; unset it' \
  env LIMULUS_CONV=fast "$limulus" gradcheck --layer conv2d
check 'LIMULUS_STRICT=yes' 1 'LIMULUS_STRICT is "yes", but must be 0 or 1' \
  env LIMULUS_STRICT=yes "$limulus" explain lenet5
check 'LIMULUS_CL_GUARD=2' 1 'LIMULUS_CL_GUARD is "2", but must be 0, 1 or exact' \
  env LIMULUS_CL_GUARD=2 "$limulus" explain lenet5
check 'LIMULUS_FUSE, empty' 0 'conv1' env LIMULUS_FUSE= "$limulus" explain lenet5
if "$limulus" devices | grep -Eq '^cpu .*avx'; then
  check 'bench ladder' 0 "Winograd's method" "$limulus" bench ladder --seconds 0 --svg ladder.svg
  check 'the ladder' 0 '</svg>' tail -1 ladder.svg
  methods() { # methods METHOD: of a training step of LeNet-5, each named once
    env LIMULUS_CONV="$1" "$limulus" bench --model lenet5 --batch 1 --repeat 1 --json |
      grep -Eo '"(for|back)ward_method": "[^"]+"' | sort -u | tr '\n' ' '
  }
  check 'LIMULUS_CONV=winograd' 0 \
    '^"backward_method": "winograd F\(3x3,5x5\)" "forward_method": "winograd F\(3x3,5x5\)" $' \
    methods winograd
  check 'LIMULUS_CONV=direct' 0 '^"backward_method": "direct" "forward_method": "direct" $' \
    methods direct
  check 'layers that run as one' 0 '^conv1\+relu1 ' \
    "$limulus" bench --model cifar-convnet --batch 1 --repeat 1
  check 'LIMULUS_FUSE=0' 0 '^relu1 ' env LIMULUS_FUSE=0 \
    "$limulus" bench --model cifar-convnet --batch 1 --repeat 1
fi

# ---- training on real photographs (32 x 32 pieces of them, so that it takes seconds) ----------------
flowers=$source_dir/data/flowers5
train() { # train OUT [OPTIONS]
  local out=$1
  shift
  "$limulus" train --model cifar-convnet --data "$flowers" --epochs 2 --batch 50 --out "$out" "$@"
}
# The same, to be put in the background: the program takes the subshell's place, so that $! is it.
train_itself() {
  local out=$1
  shift
  exec "$limulus" train --model cifar-convnet --data "$flowers" --epochs 2 --batch 50 --out "$out" \
    "$@"
}
check 'train' 0 'Held-out accuracy on 200 images' train whole
cp out.txt train.txt
check 'train: held-out accuracy of each epoch' 0 '^epoch  2/2 .* held out: loss' cat train.txt
check 'the report' 0 '</html>' tail -c 300 whole/report.html
"$limulus" convert whole/checkpoint.safetensors whole.safetensors > out.txt

# Killed at three moments, without warning, and resumed until it is done: the same bits.
for wait in 0.4 0.7 1.1; do
  resume=
  [ -e "killed/checkpoint.safetensors" ] && resume=--resume
  train_itself killed --checkpoint-minutes 0.0001 $resume > out.txt 2>&1 < /dev/null &
  sleep "$wait"
  kill -KILL $!
  wait $! 2> /dev/null
done
resume=
[ -e "killed/checkpoint.safetensors" ] && resume=--resume
check 'resumed after SIGKILL' 0 'Held-out accuracy' train killed $resume
"$limulus" convert killed/checkpoint.safetensors killed.safetensors > out.txt
same 'killed and resumed: the same weights' whole.safetensors killed.safetensors

# Ctrl-C ends with a checkpoint, and --resume goes on.
train_itself stopped > stopped.txt 2>&1 < /dev/null &
for _ in $(seq 300); do  # before its first step there is nothing to save, and it ends without a word
  grep -q 'epoch' stopped.txt && break
  sleep 0.1
done
kill -TERM $! 2> /dev/null
wait $!
check 'interrupted' 0 'Stopped|Held-out' cat stopped.txt
check 'resumed after an interruption' 0 'Held-out accuracy' train stopped --resume
"$limulus" convert stopped/checkpoint.safetensors stopped.safetensors > out.txt
same 'interrupted and resumed: the same weights' whole.safetensors stopped.safetensors

check 'resume with other settings' 1 'lr: 0.01 in the checkpoint, 0.5 now' train whole --resume --lr 0.5
check 'resume without a checkpoint' 1 'no checkpoint to resume' train nothing --resume
for option in '--epochs 0' '--batch -4' '--lr nan' '--model alexnet --dropout 1.5'; do
  # shellcheck disable=SC2086
  check "train $option" 1 'must be from' "$limulus" train --data "$flowers" --out bad $option
done
check 'train --seed -1' 2 'seed' "$limulus" train --data "$flowers" --seed -1

# A checkpoint whose settings are damaged (same length, so that the file is otherwise whole), or that
# was cut: the message names the file, the setting, and the checkpoint before it.
mkdir -p mini/daisy mini/roses damaged
for class in daisy roses; do
  find "$flowers/test/$class" -name '*.jpg' | sort | head -6 | xargs cp -t "mini/$class"
done
LC_ALL=C sed 's/\\"batch\\":50/\\"batch\\":-5/' whole/checkpoint.safetensors > damaged/checkpoint.safetensors
check 'a negative batch in a checkpoint' 1 'damaged/checkpoint.safetensors: .*batch is -5' train damaged --resume
LC_ALL=C sed 's/\\"crop\\":32/\\"crop\\":{}/' whole/checkpoint.safetensors > damaged/checkpoint.safetensors
check 'a setting that is no number' 1 '"crop\\?" is \{\}, expected a whole number' \
  "$limulus" evaluate damaged/checkpoint.safetensors
head -c 5000 whole/checkpoint.safetensors > damaged/checkpoint.safetensors
cp whole/checkpoint.safetensors damaged/checkpoint.safetensors.previous
check 'the way back' 1 "mv 'damaged/checkpoint.safetensors.previous'" train damaged --resume

# Without stdout a file must not get its number: nothing that is printed may land in a checkpoint.
check 'stdout is closed' 1 'held out' \
  sh -c "'$limulus' train --model lenet5 --data mini --epochs 1 --out closed >&-"
check 'its checkpoint is whole' 0 'conv1.weight' "$limulus" convert closed/checkpoint.safetensors --list

# Pictures that disappear between two sittings would make it another run.
cp -r mini gone
"$limulus" train --model lenet5 --data gone --epochs 1 --out gone_out > out.txt 2>&1
rm "$(find gone/daisy -type f | head -1)"
check 'resume with fewer pictures' 1 'began with [0-9]+ training images, and gone now has' \
  "$limulus" train --out gone_out --resume
rm -r gone
check 'resume without its pictures' 1 'gone: there is no such folder; --data' \
  "$limulus" train --out gone_out --resume

# One folder, one run: the second is refused, and the first goes on.
mkdir shared
if command -v flock > /dev/null; then
  check 'two runs into one folder' 1 'another run is training into this folder' \
    flock shared "$limulus" train --model lenet5 --data mini --epochs 1 --out shared
fi
check 'a rate that is too high' 1 'the loss became .* try --lr' train diverged --lr 1e20
check 'no data' 1 '--data DIR' "$limulus" train
mkdir empty_folder
check 'no layout' 1 'empty_folder' "$limulus" train --data empty_folder
: > a_file
check 'an output folder that cannot be made' 1 'a_file' train a_file/out

# ---- evaluate, predict, convert ----------------------------------------------------------------------
check 'evaluate' 0 'single crop  top-1' "$limulus" evaluate whole/checkpoint.safetensors
check 'evaluate --json' 0 '"top1"' "$limulus" evaluate whole/checkpoint.safetensors --json
check 'evaluate --weights bf16 beside f32' 0 \
  'the same guess for [1-9][0-9]* of [1-9][0-9]* images, with a probability that moved by [0-9.]*[1-9]' \
  "$limulus" evaluate whole/checkpoint.safetensors --weights bf16
check 'evaluate --weights bf16 --json' 0 '"same_guess": [0-9]' \
  "$limulus" evaluate whole/checkpoint.safetensors --weights bf16 --json
picture=$(find "$flowers/test" -name '*.jpg' | sort | head -1)
check 'predict' 0 ' % +\[' "$limulus" predict whole/checkpoint.safetensors "$picture"
check 'predict --json' 0 '"probability"' "$limulus" predict whole/checkpoint.safetensors --json "$picture"
echo 'not a picture' > text.jpg
check 'predict: no picture' 1 'text.jpg' "$limulus" predict whole/checkpoint.safetensors text.jpg
head -c 3000 "$picture" > cut.jpg
check 'predict: a picture cut short' 1 'cut.jpg' "$limulus" predict whole/checkpoint.safetensors cut.jpg
check 'predict: one bad picture of three' 1 '"error": "text.jpg: not a JPEG' \
  "$limulus" predict whole/checkpoint.safetensors --json "$picture" text.jpg "$picture"
cp out.txt three.txt
check 'the other two are answered' 0 '^2$' grep -c '"top"' three.txt
check 'predict: no checkpoint' 1 'nowhere.safetensors' "$limulus" predict nowhere.safetensors "$picture"
head -c 1000 whole/checkpoint.safetensors > cut.safetensors
check 'predict: a checkpoint cut short' 1 'cut.safetensors' "$limulus" predict cut.safetensors "$picture"
check 'convert --list' 0 'conv1.weight' "$limulus" convert whole.safetensors --list
check 'convert to .npy' 0 'tensors from' "$limulus" convert whole.safetensors npy
check 'convert back' 0 'tensors from' "$limulus" convert npy back.safetensors
same 'there and back: the same file' whole.safetensors back.safetensors

# A class folder with pictures that cannot be read: skipped, counted, listed; or an error if asked.
mkdir -p mixed/good mixed/bad
find "$flowers/test/daisy" -name '*.jpg' | sort | head -10 | xargs cp -t mixed/good
find "$flowers/test/roses" -name '*.jpg' | sort | head -10 | xargs cp -t mixed/bad
cp cut.jpg mixed/bad/cut.jpg
check 'skipped pictures are listed' 0 '1 skipped: 1 unreadable' \
  "$limulus" train --model cifar-convnet --data mixed --epochs 1 --batch 4 --out mixed_out
check '--strict' 1 'cut.jpg' \
  "$limulus" train --model cifar-convnet --data mixed --epochs 1 --batch 4 --out mixed_out --strict

finish
