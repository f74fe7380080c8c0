#!/usr/bin/env bash
# What the `limulus` program shows of a run and of a trained network: `report`, the neighbours of `look`,
# and `figure`. Usage: program_look_test.sh PROGRAM SOURCE_DIR
set -u
limulus=$1
source_dir=$2
# shellcheck source=check.sh
source "$(dirname "$0")/check.sh"

two_classes "$source_dir" # cut to 32 x 32 by the network
picture=$(find data/test/daisy -name '*.jpg' | sort | head -1)
"$limulus" train --model cifar-convnet --data data --batch 4 --epochs 2 --out run > out.txt 2>&1
checkpoint=run/checkpoint.safetensors

# ---- report -----------------------------------------------------------------------------------------
# A run that was stopped: told to, after its first epoch was printed.
"$limulus" train --model cifar-convnet --data data --batch 4 --epochs 500 --out stopped > stopped.txt 2>&1 &
for _ in $(seq 300); do
  grep -q '^epoch' stopped.txt && break
  sleep 0.1
done
kill -TERM $!
wait $! 2> /dev/null
check 'a stopped run has no report' 0 '^none$' sh -c '[ -e stopped/report.html ] || echo none'
check 'report' 0 '^Report +stopped/report.html$' "$limulus" report stopped/checkpoint.safetensors
also 'what a checkpoint does not have is told' 'note: The time of each layer, the machine'
check 'the page of a stopped run' 0 'The run was stopped early, after [0-9]+ of 500 epochs' cat stopped/report.html
also 'with its accuracy' 'the network names <strong>[0-9.]+%</strong> of 20 held-out images'
also 'with its curve' 'Loss over epochs'
also 'with what is missing' 'What this page cannot show'
cp run/report.html whole.html
check 'report: the one that was there is kept' 0 'report.html; the one that was there is now report.html.previous' \
  "$limulus" report "$checkpoint"
same 'the kept one' whole.html run/report.html.previous
check 'report --out' 0 '^Report +other.html$' "$limulus" report "$checkpoint" --out other.html
mv data gone
check 'report without its pictures' 0 'note: The held-out images were not evaluated: data: there is no such folder; --data' \
  "$limulus" report "$checkpoint" --out other.html
check 'and the page says so' 0 'The held-out images were not evaluated: data: there is no such folder' cat other.html
check 'report --data' 0 '^Report' "$limulus" report "$checkpoint" --data gone --out other.html
check 'and is evaluated' 0 'of 20 held-out images' cat other.html
check 'report --data that is not there' 1 '^error: nowhere: there is no such folder' \
  "$limulus" report "$checkpoint" --data nowhere --out other.html

# ---- neighbours -------------------------------------------------------------------------------------
check 'look without the training photographs' 0 'MB\)$' "$limulus" look "$checkpoint" "gone/${picture#data/}" --out look.html
check 'the page says why there are no neighbours' 0 'The training photographs could not be looked at: data: there is no such folder' \
  cat look.html
check '--neighbours' 0 '"searched": 20,' "$limulus" look "$checkpoint" "gone/${picture#data/}" --neighbours gone --json
check '--neighbours that is not there' 1 '^error: nowhere: there is no such folder' \
  "$limulus" look "$checkpoint" "gone/${picture#data/}" --neighbours nowhere --out no.html
mv gone data
check 'look: its own training photographs' 0 '"searched": 20,' "$limulus" look "$checkpoint" "$picture" --json
cp out.txt look.json
check 'six of them' 0 '^6$' grep -c '"distance"' look.json
trained_on=$(find data/train/roses -name '*.jpg' | sort | head -1)
check 'a training photograph finds itself' 0 '"distance": 0.0$' "$limulus" look "$checkpoint" "$trained_on" --json
also 'by its name' "\"name\": \"$(basename "$trained_on")\""
check '--no-neighbours' 0 'not looked at: --no-neighbours' "$limulus" look "$checkpoint" "$picture" --no-neighbours --json
mkdir -p others/tulips others/violets
cp "$picture" others/tulips/a.jpg
cp "$picture" others/violets/b.jpg
check '--neighbours of other classes' 1 '^error: others: ' "$limulus" look "$checkpoint" "$picture" --neighbours others --json
cp -r data more
cp "$picture" more/train/daisy/new.jpg
check '--neighbours of other photographs' 0 'not the photographs that the network was trained on' \
  "$limulus" look "$checkpoint" "$picture" --neighbours more --json

# ---- two beside each other ---------------------------------------------------------------------------
check '--compare: two photographs' 0 '^two.html \(' "$limulus" look "$checkpoint" "$picture" --compare "$trained_on" --out two.html
check 'both are there' 0 "$(basename "$picture") beside $(basename "$trained_on")" cat two.html
check '--compare: two checkpoints' 0 '^two.html \(' \
  "$limulus" look "$checkpoint" "$picture" --compare stopped/checkpoint.safetensors --out two.html
check 'by their paths, as the names are the same' 0 'run/checkpoint.safetensors beside stopped/checkpoint.safetensors' cat two.html
"$limulus" train --model lenet5 --data data --batch 4 --epochs 1 --out small > out.txt 2>&1
check '--compare: another network' 1 'error: look --compare: layer 1 is conv1 \[1, 32, 32, 32\] in .* and conv1 \[1, 6, 28, 28\]' \
  "$limulus" look "$checkpoint" "$picture" --compare small/checkpoint.safetensors --out no.html
check '--compare: what is neither' 1 '^error: stopped.txt: ' "$limulus" look "$checkpoint" "$picture" --compare stopped.txt --out no.html
check '--compare: nothing' 1 '^error: nowhere.jpg: ' "$limulus" look "$checkpoint" "$picture" --compare nowhere.jpg --out no.html
check '--compare: of two photographs' 1 'it compares one photograph, but 2 are named' \
  "$limulus" look "$checkpoint" "$picture" "$trained_on" --compare "$picture" --out no.html

# ---- the convolutions alone --------------------------------------------------------------------------
check 'convert --convolutions' 0 '^[0-9]+ numbers of conv1, conv2, conv3 from run/checkpoint.safetensors to eye.safetensors, as bf16; left out: fc4$' \
  "$limulus" convert "$checkpoint" eye.safetensors --convolutions
check 'their type' 0 '^conv1.weight +BF16' "$limulus" convert eye.safetensors --list
check 'to a folder' 1 'eye must be a .safetensors file' "$limulus" convert "$checkpoint" eye --convolutions
check 'of what is no checkpoint' 1 '^error: ' "$limulus" convert eye.safetensors again.safetensors --convolutions
check 'look --png --maps' 0 'conv1.png: 9 of 32 maps of 32 x 32, the strongest first: [0-9]+(, [0-9]+){8}$' \
  "$limulus" look eye.safetensors "$picture" --png maps --maps 9
check 'explain --element' 0 'weights of eye.safetensors \(fc4 drawn with seed 1\)' \
  "$limulus" explain --layer conv1 --element 0,5,5 --checkpoint eye.safetensors --image "$picture"
check 'figure 3' 0 '^eye.html \(' "$limulus" figure 3 eye.safetensors --out eye.html
for wrong in '3 eye.safetensors --out e.svg' '3 eye.safetensors --out e.JPG' '2 --out two.png' '2 --out two.pdf' \
  "4 $checkpoint $picture --out four.png"; do
  # shellcheck disable=SC2086
  check "figure $wrong: a page is no picture" 1 'this is a page.*; name it .html' "$limulus" figure $wrong
done
check 'look: a page is no picture' 1 'this is a page; name it .html' "$limulus" look "$checkpoint" $picture --out look.png
check 'figure 3 as a picture, in capitals' 0 '^EYE.PNG \(' "$limulus" figure 3 eye.safetensors --out EYE.PNG
check 'it is one' 0 'PNG' head -c 4 EYE.PNG
check 'figure 3 as a picture' 0 '^eye.png \(' "$limulus" figure 3 eye.safetensors --out eye.png
check 'is one' 0 PNG head -c 4 eye.png
check 'maps of all' 0 'conv1.png: 32 maps of 32 x 32, the strongest first$' \
  "$limulus" look eye.safetensors "$picture" --png maps
while read -r command; do
  # shellcheck disable=SC2086
  check "no answer from the convolutions alone: $command" 1 'it has the weights of the convolutions alone, and none of fc4' \
    "$limulus" $command
done << COMMANDS
predict eye.safetensors $picture
evaluate eye.safetensors --data data
look eye.safetensors $picture --out no.html
look eye.safetensors $picture --json
look $checkpoint $picture --compare eye.safetensors --out no.html
figure 4 eye.safetensors $picture --out no.html
report eye.safetensors --out no.html
COMMANDS

# ---- figures ----------------------------------------------------------------------------------------
check 'figure 1' 0 'relu: rate [0-9.]+, [0-9.]+ % training error after [0-9]+ epochs' \
  "$limulus" figure 1 data --epochs 2 --images 8
check 'its page' 0 'training error with ReLU and with tanh' cat figure1.html
check 'figure 1 as a drawing' 0 'race.svg' "$limulus" figure 1 data --epochs 1 --images 8 --out race.svg
check 'is one' 0 '^<svg ' head -1 race.svg
check 'figure 2' 0 '^figure2.html \(' "$limulus" figure 2
check 'figure 2 as a drawing' 0 '^two.svg \(' "$limulus" figure 2 lenet5 --out two.svg
check 'is one' 0 '^<svg ' head -1 two.svg
check 'figure 2 of no network' 1 "there is no model 'alexnett'; did you mean 'alexnet'" "$limulus" figure 2 alexnett
check 'figure 3' 0 '^figure3.html \(' "$limulus" figure 3 "$checkpoint"
check 'its page' 0 '32 filters of 5.*What training added' sh -c 'tr "\n" " " < figure3.html'
check 'figure 4' 0 '^figure4.html \(' "$limulus" figure 4 "$checkpoint"
check 'eight photographs' 0 '^8$' grep -c '<ol class="guesses">' figure4.html
check 'figure 4 of photographs' 0 '^4.html' "$limulus" figure 4 "$checkpoint" "$picture" "$trained_on" --out 4.html
check 'finds the same picture' 0 'the same picture' cat 4.html
check 'figure 4: one that cannot be used' 1 'error: none.jpg: ' "$limulus" figure 4 "$checkpoint" none.jpg "$picture" --out 4.html
check 'figure 4: none that can be used' 1 'none of the photographs can be used' "$limulus" figure 4 "$checkpoint" none.jpg --out no.html
mv data gone
check 'figure 4 without the photographs of the run' 1 'figure 4: the run.s photographs are not there .*name photographs' \
  "$limulus" figure 4 "$checkpoint"
mv gone data

# ---- what ends in a sentence -------------------------------------------------------------------------
head -c 3000 "$checkpoint" > cut.safetensors
echo 'no checkpoint' > text.safetensors
for command in 'report' 'figure 3' 'figure 4'; do
  # shellcheck disable=SC2086
  for file in nowhere.safetensors cut.safetensors text.safetensors data; do
    check "$command: no checkpoint" 1 "^error: $file: " "$limulus" $command $file --out no.html
  done
done
check 'figure: one that the paper does not have' 2 "there is no command '5'" "$limulus" figure 5
check 'figure: none' 2 'subcommand' "$limulus" figure
# An output that cannot be written is refused before the work: a file where a folder is asked for.
: > a_file
while read -r command; do
  # shellcheck disable=SC2086
  check "$command: an output that cannot be" 1 '^error: a_file/page.html' "$limulus" $command --out a_file/page.html
  # shellcheck disable=SC2086
  check "$command: an output that is a folder" 1 '^error: data: cannot write: it is a folder' "$limulus" $command --out data
done << COMMANDS
report $checkpoint
figure 1 data
figure 2 lenet5
figure 3 $checkpoint
figure 4 $checkpoint
COMMANDS
check 'look: before the work' 1 '^error: a_file/page.html' "$limulus" look "$checkpoint" "$picture" none.jpg --out a_file/page.html
check 'nothing was written' 0 '^none$' sh -c '[ -e no.html ] || echo none'
finish
