#!/usr/bin/env bash
# The `limulus` program and files that are not what they seem: named pipes, hostile names, damaged
# pictures, limits of the system. Usage: program_files_test.sh PROGRAM SOURCE_DIR
set -u
limulus=$1
source_dir=$2
# shellcheck source=check.sh
source "$(dirname "$0")/check.sh"

tensor_file() { # tensor_file FILE NAME...: safetensors of one number each; names as JSON writes them
  local file=$1 header='{' at=0 name
  shift
  for name in "$@"; do
    header+="\"$name\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[$at,$((at + 4))]},"
    at=$((at + 4))
  done
  header="${header%,}}"
  {
    # shellcheck disable=SC2059
    printf "\\x$(printf %02x $((${#header} % 256)))\\x$(printf %02x $((${#header} / 256)))\0\0\0\0\0\0"
    printf '%s' "$header"
    head -c "$at" /dev/zero
  } > "$file"
}

# ---- a checkpoint of a small network ------------------------------------------------------------
escape=$'\033[31m'
turned=$'\xe2\x80\xae' # U+202E: what follows is written from right to left
flowers=$source_dir/data/flowers5/test
mkdir -p "data/dai${escape}sy" "data/ro${turned}ses"
find "$flowers/daisy" -name '*.jpg' | sort | head -8 | xargs cp -t "data/dai${escape}sy"
find "$flowers/roses" -name '*.jpg' | sort | head -8 | xargs cp -t "data/ro${turned}ses"
mkfifo "data/ro${turned}ses/pipe.jpg"
echo text > "data/ro${turned}ses/no${escape}pe.jpg"
check 'train: a named pipe among the pictures' 0 'pipe.jpg: a named pipe, not a file' \
  "$limulus" train --model lenet5 --data data --epochs 1 --batch 8 --out run
unseen 'train'
check 'a log' 0 'Held-out' "$limulus" train --model lenet5 --data data --epochs 1 --batch 8 --out logged --log run.log
cp run.log out.txt
unseen 'the log'
check 'evaluate: names of classes' 0 'dai\\x1b\[31msy' "$limulus" evaluate run/checkpoint.safetensors
unseen 'evaluate'
cp run/report.html out.txt
unseen 'the report'
checkpoint=run/checkpoint.safetensors
picture=$(find "$flowers/tulips" -name '*.jpg' | sort | head -1)
cp "$picture" "pic${escape}ture${turned}.jpg"
check 'predict: names' 0 'pic\\x1b\[31mture\\u202e.jpg' "$limulus" predict "$checkpoint" "pic${escape}ture${turned}.jpg"
unseen 'predict'
check 'predict --json' 0 'pic\\u001b\[31mture\\u202e.jpg' "$limulus" predict "$checkpoint" --json "pic${escape}ture${turned}.jpg"
unseen 'predict --json'
cp out.txt answer.json
if command -v python3 > /dev/null; then
  check 'predict --json is JSON' 0 '^ok$' python3 -c \
    'import json; json.load(open("answer.json", encoding="utf-8")); print("ok")'
else
  echo 'skipped: is it JSON? There is no Python'
fi
check 'an error with a name' 1 'no\\x1b\[31mne' "$limulus" predict "no${escape}ne" "$picture"
unseen 'an error with a name'
check 'a name of two lines' 1 '^  two: cannot open' "$limulus" predict "one"$'\n'"two" "$picture"
check 'an argument' 2 'no\\x1b\[31mne' "$limulus" train "--no${escape}ne"
unseen 'an argument'

# ---- what is no file ----------------------------------------------------------------------------
mkfifo pipe pipe.jpg pipe.safetensors
check 'predict: a pipe as picture' 1 'pipe.jpg: is a named pipe' "$limulus" predict "$checkpoint" pipe.jpg "$picture"
cp out.txt two.txt
check 'and the other picture is answered' 0 ' % +\[' cat two.txt
check 'predict: a pipe as checkpoint' 1 'pipe: is a named pipe' "$limulus" predict pipe "$picture"
check 'convert: a pipe' 1 'pipe.safetensors: is a named pipe' "$limulus" convert pipe.safetensors npy
check 'convert onto a pipe' 1 'pipe.safetensors: cannot write: it is a named pipe' "$limulus" convert "$checkpoint" pipe.safetensors
check 'explain: a pipe' 1 'pipe: is a named pipe' "$limulus" explain lenet5 --layer conv1 --element 0,0,0 --checkpoint pipe
check 'gradcheck: --json onto a device' 1 '/dev/full: cannot write: it is a device' \
  "$limulus" gradcheck --layer softmax --backend reference --json /dev/full
mkdir idx
touch idx/train-images-idx3-ubyte idx/train-labels-idx1-ubyte
mkfifo idx/t10k-images-idx3-ubyte
check 'train: a pipe as data' 1 't10k-images-idx3-ubyte is a named pipe' "$limulus" train --model lenet5 --data idx --out idx_run
mkdir npy_pipe
mkfifo npy_pipe/w.npy
check 'convert: a pipe in a folder' 1 'w.npy: is a named pipe' "$limulus" convert npy_pipe x.safetensors

# ---- what is no folder --------------------------------------------------------------------------
ln -s loop loop
touch plain
for name in pipe plain loop plain/below "$(printf 'x%.0s' $(seq 300))"; do
  for command in "look $checkpoint $picture --png" "convert $checkpoint" 'gradcheck --random 2 --export' \
    "look $checkpoint $picture pic${escape}ture${turned}.jpg --out" 'new layer my_layer --out'; do
    # shellcheck disable=SC2086
    check 'an output folder that cannot be' 1 "^error: (new: )?$name(/[^ ]*)?:? (cannot|is there|Too|File name)" \
      "$limulus" $command "$name"
  done
done
check 'look: a page that cannot be' 1 '^error: loop: cannot follow' "$limulus" look "$checkpoint" "$picture" --out loop
check 'a log that is a pipe' 1 'pipe: cannot be the log: it is a named pipe' \
  "$limulus" train --model lenet5 --data data --out logged --log pipe
check 'a plugin that is a pipe' 1 'plugin pipe: it is a named pipe' "$limulus" devices --plugin pipe
check 'a plugin behind a loop of links' 1 'plugin loop: Too many levels' "$limulus" devices --plugin loop

# ---- names of tensors as names of files -----------------------------------------------------------
cp "$checkpoint" whole.safetensors
for option in '' --all --bf16 --convolutions; do
  # shellcheck disable=SC2086
  check "convert onto itself $option" 1 'would replace what it is made from' "$limulus" convert whole.safetensors ./whole.safetensors $option
done
same 'and nothing is lost' whole.safetensors "$checkpoint"
check 'convert: --all there' 0 'tensors from' "$limulus" convert "$checkpoint" all_npy --all
there=$(grep -o '^[0-9]*' out.txt)
check 'convert: a history, too' 0 'step_losses.npy' ls all_npy/history
check 'convert: and back' 0 "^$there tensors from" "$limulus" convert all_npy back.safetensors
"$limulus" convert "$checkpoint" --list | grep -v '^metadata' > before.txt
"$limulus" convert back.safetensors --list > after.txt
check 'convert: the same tensors' 0 '^same$' sh -c 'cmp before.txt after.txt && echo same'
check 'convert: again, and says so' 0 "note: $there of the files in all_npy were there before" \
  "$limulus" convert "$checkpoint" all_npy --all
check 'convert: a folder with a slash behind its name' 0 "^$there tensors" \
  "$limulus" convert "$checkpoint" "$folder/all_npy/" --all
tensor_file one_tensor.safetensors w good
check 'convert: into the folder of another network' 1 "has $there .npy files that would be read as a part of this" \
  "$limulus" convert one_tensor.safetensors all_npy
check 'convert: which stays as it was' 0 "^$there tensors from" "$limulus" convert all_npy again.safetensors
mkdir tools
printf '#!/bin/sh\n' > tools/victim.sh
for name in 'victim.sh\u0000' '../up' '/up' 'a//b' 'a/' '/a' '-rf' '.hidden' 'a/./b' 'a\\b' 'a\u001bb' \
  'a\u202eb' 'a:b' '' 'a.' 'a /b' 'CON' 'aux.weight' 'nul' 'a/prn/b' 'Lpt1.bias' 'a/COM9' 'com\u00b9' 'CONIN$'; do
  tensor_file hostile.safetensors "$name" good
  check "convert: the name $name" 1 'cannot be a file.s name' "$limulus" convert hostile.safetensors tools
done
tensor_file hostile.safetensors w W
check 'convert: names that differ in capitals' 1 "'w' and 'W' would be one file" "$limulus" convert hostile.safetensors tools
tensor_file hostile.safetensors Conv/w conv/v
check 'convert: folders that differ in capitals' 1 "'Conv/w' and 'conv/v' would be one" "$limulus" convert hostile.safetensors tools
if ldd "$limulus" | grep -q utf8proc; then
  for other in '\u00c9 \u00e9' '\u0391 \u03b1' '\u00e9 e\u0301'; do # e with an accent, alpha; e in two spellings
    # shellcheck disable=SC2086
    tensor_file unicode.safetensors $other
    check "convert: the names $other" 1 'would be one file' "$limulus" convert unicode.safetensors tools
  done
else
  echo 'skipped: names that differ in capitals beyond ASCII: this build has no utf8proc'
fi
tensor_file hostile.safetensors a a.npy/b
check 'convert: a file and a folder' 1 "'a' would be the folder of 'a.npy/b'" "$limulus" convert hostile.safetensors tools
printf 'not an array' > tools/w.npy
tensor_file good.safetensors w v
check 'convert: somebody else'"'"'s file' 1 'tools/w.npy: exists and is not an .npy file' "$limulus" convert good.safetensors tools
rm tools/w.npy
ln -s ../secret tools/w.npy
check 'convert: a link' 1 'tools/w.npy: exists and is not an .npy file' "$limulus" convert good.safetensors tools
rm tools/w.npy
ln -s /tmp tools/v
tensor_file good.safetensors v/w
check 'convert: a link to a folder' 1 'tools/v: exists and is not a folder' "$limulus" convert good.safetensors tools
rm tools/v
check 'nothing else was written' 0 '^victim.sh$' ls -A tools
check 'nor changed' 0 '^#!/bin/sh$' cat tools/victim.sh
tensor_file esc.safetensors 'a\u001b[31mb\u202e'
check 'convert --list: names' 0 'a\\x1b\[31mb\\u202e' "$limulus" convert esc.safetensors --list
unseen 'convert --list'
check 'bench --svg: a name' 0 'picture: roof\\x1b\[31m.svg' \
  "$limulus" bench --model lenet5 --batch 1 --inference --repeat 1 --svg "roof${escape}.svg"
unseen 'bench --svg'
check 'gradcheck --export: a name' 0 'are in cases\\u202e' \
  "$limulus" gradcheck --export "cases${turned}" --random 1
unseen 'gradcheck --export'

# ---- limits of the system -------------------------------------------------------------------------
check 'ulimit -f' 1 'back.safetensors: cannot write .*File too large; ulimit -f' \
  bash -c "ulimit -f 8; '$limulus' convert '$checkpoint' back.safetensors --all"
check 'the file before is whole' 0 "conv1.weight" "$limulus" convert back.safetensors --list
check 'ulimit -f below stdout' 0 '^status 1$' \
  sh -c "(ulimit -f 0; exec '$limulus' explain > limited.txt 2> /dev/null); echo status \$?"
check 'and below stderr' 0 '^status 1$' \
  sh -c "(ulimit -f 0; exec '$limulus' predict none none 2> limited.txt); echo status \$?"

# ---- arithmetic of any size -----------------------------------------------------------------------
check 'explain: 1.67e20 multiply-adds' 0 'more than 9,223,372,036,854,775,806' \
  "$limulus" explain conv2d --kernel 65534 --padding 65534 --batch 5
check 'explain: bytes' 0 ' (more than 8.0|[0-9.]+) EiB' \
  "$limulus" explain avg_pool2d --input 274877906944x15x15 --batch 65535
cp out.txt bytes.txt
check 'no negative number' 0 '^0$' sh -c "grep -Ec ' -[0-9]' bytes.txt || true"

# ---- damaged pictures -----------------------------------------------------------------------------
printf '\xff\xd8\xff\xc0\0\x0b\x08\0\x40\0\x40\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0\x5a\x3c\x11\x77\xff\xd9' > tables.jpg
# A PNG of 8 x 8 whose compressed data begins with a block of a kind that does not exist.
printf '\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x08\0\0\0\x08\x08\0\0\0\0\xe1\x64\xe1\x57\0\0\0\x07IDAT\x78\x9c\x07\0\0\0\0NUO\x40\0\0\0\0IEND\xae\x42\x60\x82' > reason.png
check 'predict: each picture has its own reason' 1 'tables.jpg: the JPEG is incomplete: quantization table 0' \
  "$limulus" predict "$checkpoint" reason.png tables.jpg "$picture"
cp out.txt three.txt
check 'no reason of the decoder' 0 'reason.png: the PNG is damaged: .*invalid block type' cat three.txt
check 'and the third is answered' 0 ' % +\[' cat three.txt

finish
