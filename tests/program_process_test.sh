#!/usr/bin/env bash
# The `limulus` program as a process: signals, closed and full outputs, misspelled names, options that
# would be ignored, and what --resume keeps. Usage: program_process_test.sh PROGRAM SOURCE_DIR
set -u
set -m # job control: children in the background do not ignore SIGINT
limulus=$1
source_dir=$2
# shellcheck source=check.sh
source "$(dirname "$0")/check.sh"

# Pictures: two classes of 32 x 32 pieces of photographs, and more held-out ones than training ones.
flowers=$source_dir/data/flowers5
for class in daisy roses; do
  for part in train test; do
    mkdir -p "data/$part/$class"
    find "$flowers/$part/$class" -name '*.jpg' | sort | head -8 | xargs cp -t "data/$part/$class"
  done
done
train=("$limulus" train --model cifar-convnet --data data --batch 4)
check 'train' 0 'Held-out accuracy' "${train[@]}" --epochs 2 --out whole
checkpoint=whole/checkpoint.safetensors

# ---- what was printed and did not arrive is no success ----------------------------------------------
commands=(
  '--help' '--version' '--help-all' 'train --help' 'explain --help' 'evaluate --help'
  'predict --help' 'look --help' 'report --help' 'figure --help' 'figure 4 --help' 'gradcheck --help' 'bench --help' 'bench ladder --help' 'devices --help'
  'convert --help' 'explain --list' 'explain --list --json' 'explain lenet5'
  'explain lenet5 --json' 'explain lenet5 --markdown' 'explain conv2d --input 3x9x9'
  'explain lenet5 --layer conv1 --element 0,0,0' 'explain lenet5 --layer conv1 --element 0,0,0 --json'
  'devices' 'devices --json' 'gradcheck --list' 'gradcheck --layer relu'
  'gradcheck --layer relu --json' 'gradcheck --mutation conv2d-x-sign'
  'bench --model lenet5 --batch 1 --repeat 1' 'bench --model lenet5 --batch 1 --repeat 1 --json'
  "evaluate $checkpoint" "evaluate $checkpoint --json"
  "predict $checkpoint data/test/daisy/*.jpg" "predict $checkpoint data/test/daisy/*.jpg --json"
  "convert $checkpoint --list" "convert $checkpoint copy.safetensors"
  "train --model cifar-convnet --data data --batch 4 --epochs 1 --out full"
)
for command in "${commands[@]}"; do
  if [ -e /dev/full ]; then
    check 'a full disk below stdout' 1 'error: stdout: .*could not be written' \
      sh -c "'$limulus' $command > /dev/full"
  fi
  check 'stdout is closed' 1 'error: stdout: .*could not be written' sh -c "'$limulus' $command >&-"
done
check 'a training is not lost with what it prints' 0 'conv1.weight' \
  "$limulus" convert full/checkpoint.safetensors --list
if [ -e /dev/full ]; then
  check 'a full disk below stderr' 1 '^$' sh -c "'$limulus' evaluate nowhere 2> /dev/full; s=\$?; echo; exit \$s"
fi

# A reader that leaves (head -1) ends the program quietly; a training goes on to its end first.
quietly() { # quietly COMMAND...: its status and what it says on stderr, with nobody at its stdout
  { "$@" 2> errors.txt; echo $? > status.txt; } | true
  cat errors.txt status.txt
}
check 'nobody reads' 0 '^(0|141)$' quietly "$limulus" explain alexnet --json
check 'nobody reads a training' 0 '^141$' quietly "${train[@]}" --epochs 1 --out unread
check 'its report is there' 0 '</html>' tail -c 300 unread/report.html
check 'nobody reads its progress either' 0 'velocity/conv1.weight' \
  sh -c "{ '$limulus' train --model cifar-convnet --data data --batch 4 --epochs 2 --out unheard 2>&1; } | true
         '$limulus' convert unheard/checkpoint.safetensors --list"

# ---- signals ----------------------------------------------------------------------------------------
# signalled SIGNAL PATTERN COMMAND...: starts it, waits until PATTERN is in what it prints, or until
# there is a file of that name, sends the signal, and prints the exit status. Nothing is timed: the
# pattern is waited for, and then the end.
signalled() {
  local signal=$1 pattern=$2
  shift 2
  rm -f progress started # or it would be sent before the program has begun
  "$@" > progress 2>&1 < /dev/null &
  local child=$!
  until [ -e "$pattern" ] || grep -Eqs -- "$pattern" progress || ! kill -0 $child 2> /dev/null; do
    sleep 0.02
  done
  kill "-$signal" $child 2> /dev/null
  wait $child
  echo "status $?"
  cat progress
}
long=("$limulus" train --model cifar-convnet --data data --batch 1 --epochs 100000 --lr 0.0001)
ulimit -c 0 # SIGQUIT and SIGXCPU leave no core
for row in 'INT 130' 'TERM 143' 'HUP 129' 'QUIT 131' 'USR1 138' 'USR2 140' 'XCPU 152' 'PWR 158' \
  'ALRM 142' 'VTALRM 154' 'PROF 155' 'IO 157' 'STKFLT 144'; do
  read -r signal status <<< "$row"
  out=stopped_$signal
  check "SIG$signal in training" 0 "^status $status$" \
    signalled "$signal" 'epoch +1/' "${long[@]}" --out "$out"
  check "SIG$signal: it says so" 0 "Stopped. Everything is in $out/checkpoint" cat progress
  check "SIG$signal: it was saved" 0 'velocity/conv1.weight' \
    "$limulus" convert "$out/checkpoint.safetensors" --list
done
# `timeout` sends its signal to the program and to its group: twice, with hardly a moment between.
twice() { # twice COMMAND...: as signalled TERM, but two of them
  rm -f progress
  "$@" > progress 2>&1 < /dev/null &
  until grep -Eqs 'epoch +1/' progress || ! kill -0 $! 2> /dev/null; do sleep 0.02; done
  # One process sends both; between two of the shell's own there could be half a second.
  perl -e 'kill "TERM", $ARGV[0]; select undef, undef, undef, 0.001; kill "TERM", $ARGV[0]' $!
  wait $!
  echo "status $?"
  cat progress
}
if command -v perl > /dev/null; then
  for i in 1 2 3 4 5; do
    check 'SIGTERM twice at once' 0 '^status 143$' twice "${long[@]}" --out "twice_$i"
    check 'SIGTERM twice at once: it was saved' 0 'velocity/conv1.weight' \
      "$limulus" convert "twice_$i/checkpoint.safetensors" --list
  done
else
  echo 'skipped: SIGTERM twice at once: there is no perl'
fi
check 'a command after && is not run' 0 '^status 143$' signalled TERM 'epoch +1/' \
  bash -c "trap '' TERM; '$limulus' devices > /dev/null; trap - TERM; exec \"\$@\"" _ "${long[@]}" --out and
check 'a signal before the first step' 0 '^status 143$' signalled TERM started \
  sh -c "touch started; exec \"\$@\"" _ "${long[@]}" --data data --out early
check 'SIGHUP under nohup' 0 '^status 143$' signalled TERM 'epoch +3/' \
  sh -c "trap '' HUP; (sleep 0.3; kill -HUP \$\$) & exec \"\$@\"" _ "${long[@]}" --out nohup_out

# In the last evaluation all is saved: it ends at once, and --resume makes the report.
mkdir -p held/train held/test/daisy held/test/roses
cp -r data/train/* held/train
daisies=(data/test/daisy/*)
roses=(data/test/roses/*)
for i in $(seq 150); do
  cp "${daisies[0]}" "held/test/daisy/$i.jpg"
  cp "${roses[0]}" "held/test/roses/$i.jpg"
done
check 'SIGTERM in the last evaluation' 0 '^status 143$' signalled TERM 'epoch +1/1' \
  "$limulus" train --model lenet5 --data held --batch 4 --epochs 1 --out last
check 'no report yet, or a whole one' 0 '^(</html>|none)$' \
  sh -c 'if [ -e last/report.html ]; then grep -o "</html>" last/report.html | tail -1; else echo none; fi'
check 'it goes on' 0 'Held-out accuracy on 300 images' "$limulus" train --out last --resume

many=()
for _ in $(seq 400); do many+=(data/test/*/*.jpg); done
check 'SIGTERM in predict: what was answered is printed' 0 '^status 143$' signalled TERM 'daisy' \
  "$limulus" predict "$checkpoint" "${many[@]}"
check 'SIGINT in evaluate' 0 '^status 130$' signalled INT '^Data ' "$limulus" evaluate "$checkpoint" --data held
also 'SIGINT in evaluate: what is complete is said' \
  '^Stopped before the first image|stopped after the first [0-9]+ of 300 images|stopped before the first of [0-9]+ images'
check 'SIGINT in gradcheck' 0 '^status 130$' signalled INT started \
  sh -c "touch started; exec '$limulus' gradcheck --random 100000"
check 'SIGTERM in bench' 0 '^status 143$' signalled TERM started \
  sh -c "touch started; exec '$limulus' bench --model alexnet --repeat 1000"

# ---- what --resume keeps ------------------------------------------------------------------------------
resume=("$limulus" train --out whole --resume)
settings=( # OPTION and a value that differs from the checkpoint's
  '--model lenet5' '--recipe paper' '--epochs 1' '--batch 5' '--seed 7' '--lr 0.5' '--momentum 0.5'
  '--weight-decay 0.25' '--dropout 0.25' '--schedule step' '--rule pytorch' '--zoom 2'
  '--colour-noise 0.2' '--vertical-flip' '--batch-norm' '--strict' '--layout classes'
  '--test-folder other' '--freeze conv1' '--micro-batches 2' '--exchange factors'
  '--shuffle-buffer 7'
)
free=('--data data' '--device cpu' '--threads 1' '--workers 0' '--checkpoint-minutes 5'
  '--log sitting.jsonl' '--cache 1MB' '--flush-denormals' '--live' '--snapshots 1' '--tensorboard events')
for setting in "${settings[@]}"; do
  # shellcheck disable=SC2086
  check 'a setting of the run' 1 ' in the checkpoint, .* now' "${resume[@]}" $setting
done
for setting in "${free[@]}"; do
  # shellcheck disable=SC2086
  check 'a setting of the sitting' 0 'Held-out accuracy' "$limulus" train --out whole --resume $setting
done
known=$(printf '%s\n' "${settings[@]}" "${free[@]}" --out --resume --init --find-rate --plugin --help --help-all | sed 's/ .*//' | sort -u)
options=$("$limulus" train --help | grep -Eo '^ +(-h,)?--[a-z-]+' | grep -Eo -- '--[a-z-]+' | sort -u)
echo "$known" > known.txt
echo "$options" > out.txt
[ "$known" = "$options" ]
result 'every option of train is in one of the two lists' $?

# The device is the checkpoint's; where it is not to be had, the way out is said.
check 'a run on half of the processor' 0 'cpu:0/2|threads?$' \
  "${train[@]}" --epochs 1 --device cpu:0/2 --out half
check 'its device is kept' 0 'Device  .*1 thread$|cores' env LIMULUS_THREADS=2 "$limulus" train --out half --resume
LC_ALL=C sed 's/\\"cpu:0\/2\\"/\\"cpu:9\/2\\"/' half/checkpoint.safetensors > moved.safetensors
mkdir -p moved && mv moved.safetensors moved/checkpoint.safetensors
check 'a device that is not here' 1 \
  'this run computed on cpu:9/2, which is not available here: .*--device cpu continues it' \
  "$limulus" train --out moved --resume
check 'another one may be given' 0 'Held-out accuracy' "$limulus" train --out moved --resume --device cpu

# ---- misspelled names --------------------------------------------------------------------------------
while IFS='|' read -r arguments status meant; do
  # shellcheck disable=SC2086
  check 'a misspelled name' "$status" "did you mean '?$meant'?\?|Did you mean $meant\?" "$limulus" $arguments
done << 'NAMES'
trian|2|train
Train|2|train
evalute x|2|evaluate
train --epcohs 3|2|--epochs
predict --topp 3 a b|2|--top
bench ladder --sgv x|2|--svg
bench lader|2|ladder
explain alexnett|1|alexnet
train --model lenet --data data|1|lenet5
bench --model Alexnet|1|alexnet
explain --layer conv9|1|conv1
explain lenet5 --layer fc9 --element 0|1|fc3
bench --model lenet5 --layer fc9 --batch 1 --repeat 1|1|fc5
train --recipe papr --data data|1|paper
train --schedule cosin --data data|1|cosine
train --rule papr --data data|2|paper
bench --weights bf61|2|bf16
explain lenet5 --of wieght|2|weight
gradcheck --layer conv2|1|conv2d
gradcheck --mutation conv2d-w-fliped|1|conv2d-w-flipped
bench --device cppu|1|cpu
gradcheck --backend referense|1|reference
look whole/checkpoint.safetensors data/test/daisy --clas x|2|--class
compare --dtype f23|2|f32
new laier x|2|layer
train --layout clases|2|classes
NAMES

# ---- options that another one would make meaningless ------------------------------------------------
picture=$(find data/test/daisy -name '*.jpg' | head -1)
while IFS='|' read -r pattern arguments; do
  # shellcheck disable=SC2086
  check 'an option that would be ignored' 2 "$pattern" "$limulus" $arguments
done << ROWS
--list has no --layer|explain --list --layer conv1
--list has no model|explain lenet5 --list
--list has no --markdown|explain --list --markdown
conv2d has no --layer|explain conv2d --layer x
conv2d has no --classes|explain conv2d --classes 5
conv2d has no --size|explain conv2d --size 5
conv2d has no --ceil|explain conv2d --ceil
conv2d has no --checkpoint|explain conv2d --checkpoint $checkpoint
conv2d has no --image|explain conv2d --image $picture
max_pool2d has no --channels|explain max_pool2d --channels 5
max_pool2d has no --no-bias|explain max_pool2d --no-bias
max_pool2d has no --dilation|explain max_pool2d --dilation 1
avg_pool2d has no --groups|explain avg_pool2d --groups 1
no --kernel|explain lenet5 --kernel 5
no --input|explain lenet5 --input 3x9x9
--image needs --element|explain alexnet --checkpoint $checkpoint --image $picture
--image needs --element|explain alexnet --image $picture
--backward needs --element|explain lenet5 --backward
--of needs --element|explain lenet5 --of weight
--label needs --element|explain lenet5 --label 3
--seed needs --element|explain lenet5 --seed 3
--terms needs --element|explain lenet5 --terms 3
--element needs --layer|explain lenet5 --element 1
is a checkpoint of cifar-convnet, not of alexnet|explain alexnet --checkpoint $checkpoint
is a checkpoint of cifar-convnet, not of lenet5|explain lenet5 --checkpoint $checkpoint --layer conv1 --element 0,0,0
no --classes|explain --checkpoint $checkpoint --classes 7
no --size|explain --checkpoint $checkpoint --size 40
no --classes|explain --checkpoint $checkpoint --layer conv1 --element 0,0,0 --classes 7
no --size|explain --checkpoint $checkpoint --layer conv1 --element 0,0,0 --size 40
--seed draws weights|explain --checkpoint $checkpoint --image $picture --layer conv1 --element 0,0,0 --seed 3
no --of|explain lenet5 --layer conv1 --element 0,0,0 --of weight
no --label|explain lenet5 --layer conv1 --element 0,0,0 --label 3
no --batch|explain lenet5 --layer conv1 --element 0,0,0 --batch 3
no --markdown|explain lenet5 --layer conv1 --element 0,0,0 --markdown
no --terms|explain lenet5 --layer conv1 --element 0,0,0 --json --terms 3
no --stride|explain lenet5 --layer conv1 --element 0,0,0 --stride 3
conv2d alone has no --element|explain conv2d --element 0,0,0
as JSON has no --all|compare --layer relu --json --all
has no --seed|compare --layer relu --seed 3
has no --layer|compare --layer relu --random 2
has no --large|compare --random 2 --large
measures an OpenCL device, as opencl:0, not cpu|tune --device cpu
nan is not a number from 0.001 to 60|tune --seconds nan
nan is not a number from 0 to 3600|bench ladder --seconds nan
nan is not a number from 0.0001 to 10000|train --data data --checkpoint-minutes nan
inf is not a number from 0 to 1000|train --data data --colour-noise inf
lenet5 has no batch normalization|train --model lenet5 --data data --batch-norm
lenet5 has no dropout|train --model lenet5 --data data --dropout 0.3
--threads is for the device cpu|train --model lenet5 --data data --threads 1 --device reference
--threads is for the device cpu|evaluate $checkpoint --threads 1 --device reference
--threads is for the device cpu|predict $checkpoint $picture --threads 1 --device cpu:0/2
--threads is for the device cpu|bench --model lenet5 --threads 1 --device reference
--threads is for the device cpu|look $checkpoint $picture --threads 1 --device reference
--out excludes --png|look $checkpoint $picture --out a.html --png maps
--class excludes --png|look $checkpoint $picture --class daisy --png maps
--out excludes --json|look $checkpoint $picture --out a.html --json
--png excludes --neighbours|look $checkpoint $picture --neighbours data --png maps
--neighbours excludes --no-neighbours|look $checkpoint $picture --neighbours data --no-neighbours
--no-neighbours excludes --layout|figure 4 $checkpoint --no-neighbours --layout classes
--json excludes --compare|look $checkpoint $picture --compare $picture --json
--png excludes --compare|look $checkpoint $picture --compare $picture --png maps
--class excludes --compare|look $checkpoint $picture --compare $picture --class daisy
--threads is for the device cpu|report $checkpoint --threads 1 --device reference
--threads is for the device cpu|figure 3 $checkpoint --threads 1 --device reference
before the word "ladder" has no --model|bench --model lenet5 ladder
before the word "ladder" has no --json|bench --json ladder
no --layer|gradcheck --mutations --layer conv2d
no --json|gradcheck --mutations --json
no --backend|gradcheck --mutation conv2d-x-sign --backend reference
no --seed|gradcheck --mutation conv2d-x-sign --seed 2
no --all|gradcheck --mutation conv2d-x-sign --all
no --html|gradcheck --export x --html y
no --layer|gradcheck --export x --layer conv2d
no --layer|gradcheck --random 3 --layer conv2d
no --backend|gradcheck --list --backend reference
no --seed|gradcheck --list --seed 3
no --html|gradcheck --list --html x
no --all|gradcheck --layer relu --json --all
excludes|convert $checkpoint elsewhere --list
excludes|convert $checkpoint --list --all
excludes|explain lenet5 --json --markdown
ROWS

check 'a test folder of a set that has none' 1 'is read as classes, .*--test-folder test would be ignored' \
  "$limulus" train --model lenet5 --data data/train --test-folder test --out ignored
check 'the same in evaluate' 1 'is read as classes, .*--test-folder val would be ignored' \
  "$limulus" evaluate "$checkpoint" --data data/test --test-folder val
# A driver that lists no device says so itself: PoCL without a place for its cache.
if "$limulus" devices | grep -q 'Portable Computing Language'; then
  check 'a driver without devices' 0 'OpenCL: the driver Portable Computing Language lists no device: CL_DEVICE_NOT_FOUND' \
    env POCL_CACHE_DIR=/proc/nowhere "$limulus" devices
  check 'no device of that driver' 1 'PoCL has none where it cannot write its cache' \
    env POCL_CACHE_DIR=/proc/nowhere "$limulus" bench --model lenet5 --device opencl:0
else
  echo 'skipped: a driver without devices: PoCL is not here'
fi
check 'two devices of a network for one' 1 '^error: make_model: cifar-convnet lives on one device' \
  "$limulus" predict "$checkpoint" "$picture" --device cpu:0/2,cpu:1/2

# An empty value, as of --image "$FORGOTTEN", is an error of its own.
while IFS='|' read -r option arguments; do
  # shellcheck disable=SC2086
  check 'an empty value' 2 "$option was given an empty value" "$limulus" $arguments ''
done << ROWS
--data|evaluate $checkpoint --data
--image|explain lenet5 --layer conv1 --element 0,0,0 --image
--checkpoint|explain --checkpoint
--layer|explain lenet5 --layer
--layer|gradcheck --layer
--html|gradcheck --layer relu --html
--mutation|gradcheck --mutation
--out|look $checkpoint $picture --out
--png|look $checkpoint $picture --png
--class|look $checkpoint $picture --class
--neighbours|look $checkpoint $picture --neighbours
--out|report $checkpoint --out
--out|figure 2 --out
--svg|bench --model lenet5 --batch 1 --repeat 1 --svg
--rungs|bench ladder --rungs
--plugin|devices --plugin
--log|train --model lenet5 --data data --log
--out|train --model lenet5 --data data --out
--test-folder|train --model lenet5 --data data --test-folder
--only|tune --dry-run --only
--out|new layer mine --out
name|new layer
to|convert $checkpoint
checkpoint|evaluate
ROWS

# ... and those that were ignored once, and are used now.
check 'explain --checkpoint: its network' 0 'fc4 +2 x 1024 weights -> 2 ' \
  "$limulus" explain --checkpoint "$checkpoint"
check 'explain --checkpoint: with its number of classes' 0 '^2$' sh -c \
  "'$limulus' explain --checkpoint $checkpoint --json | grep -A3 '\"out\"' | tail -2 | grep -Eo '[0-9]+' | tail -1"
check 'evaluate --worst --json' 0 '"worst"' "$limulus" evaluate "$checkpoint" --worst 3 --json

# ---- colours -------------------------------------------------------------------------------------------
if command -v script > /dev/null; then
  painted() { # painted VARIABLE=VALUE COMMAND: what a terminal gets, escapes made visible
    env -u NO_COLOR TERM=xterm "$1" script -qec "$2" /dev/null | cat -v
  }
  check 'colours on a terminal' 0 '\^\[\[31m' painted A=1 "'$limulus' explain nothing"
  check 'NO_COLOR, but empty' 0 '\^\[\[31m' painted NO_COLOR= "'$limulus' explain nothing"
  check 'NO_COLOR' 0 '^error:' painted NO_COLOR=1 "'$limulus' explain nothing"
  check 'TERM=dumb' 0 '^error:' painted TERM=dumb "'$limulus' explain nothing"
  check 'a file gets none' 0 '^relu' painted A=1 "'$limulus' gradcheck --layer relu > gradients.txt; cat -v gradients.txt"
  check 'JSON has none' 0 '^\[' painted A=1 "'$limulus' gradcheck --layer relu --json 2> /dev/null"
else
  echo 'skipped: colours: there is no program "script" to make a terminal'
fi
check 'no colours without a terminal' 0 '^error:' sh -c "'$limulus' explain nothing 2>&1 | cat -v"

finish
