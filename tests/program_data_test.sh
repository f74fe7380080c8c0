#!/usr/bin/env bash
# How the `limulus` program reads folders of pictures, and that it leaves nothing out without a word.
# Usage: program_data_test.sh PROGRAM SOURCE_DIR
set -u
limulus=$1
source_dir=$2
# shellcheck source=check.sh
source "$(dirname "$0")/check.sh"

train() { # train DATA [OPTIONS]: into DATA_out
  "$limulus" train --model cifar-convnet --epochs 1 --batch 4 --data "$1" --out "${1}_out" "${@:2}"
}
evaluate() { # evaluate RUN [OPTIONS]
  "$limulus" evaluate "${1}_out/checkpoint.safetensors" "${@:2}"
}
# take CLASS FIRST LAST FOLDER: some of the class's photographs
take() {
  mkdir -p "$4"
  find "$source_dir/data/flowers5/test/$1" -name '*.jpg' | sort | sed -n "$2,$3p" | xargs cp -t "$4"
}
small=$source_dir/tests/golden/images/rgb.png # 20 x 12

# ---- a set with a training and a test part, and a damaged and a small picture in each ------------
for class in daisy roses; do
  take $class 1 6 "parts/train/$class"
  take $class 7 10 "parts/test/$class"
done
for part in train test; do
  head -c 3000 "$(find parts/train/daisy -name '*.jpg' | head -1)" > "parts/$part/roses/cut.jpg"
  cp "$small" "parts/$part/daisy/small.png"
done
touch parts/train/daisy/.DS_Store parts/test/notes.txt
check 'train: the line Data' 0 \
  '^Data +parts: 2 classes \(daisy, roses\), 12 of 14 training images, 8 of 10 held out \(train and test folders of 2 class folders\)$' \
  train parts --log logs/parts.jsonl
also 'by which rule, and how many' '6 skipped: 1 hidden .*, 1 not a picture .*, 2 unreadable, 2 of a size'
also 'held-out pictures by name' 'parts/test/roses/cut.jpg: .*\(held out\)'
also 'of how many the accuracy is' 'Held-out accuracy on 8 of 10 images'
check 'the report' 0 'parts/test/daisy/small.png: 20x12 is smaller than the crop 32x32 \(held out\)' \
  cat parts_out/report.html
also 'the report counts' 'of which 12 could be used, and 10 held out, of which 8 could'
check '--strict' 1 'parts/train/daisy/small.png: 20x12 is smaller than the crop 32x32' \
  train parts --strict
check 'evaluate' 0 '^8 of 10 images of parts$' evaluate parts
also 'evaluate: by name' 'parts/test/roses/cut.jpg: .*\(held out\)'
check 'evaluate --strict' 1 'parts/test/daisy/small.png: 20x12' evaluate parts --strict
check 'evaluate --split training' 0 '^12 of 14 images of parts$' evaluate parts --split training
also 'a note that these are known' 'trained on these images'
check 'evaluate --split all' 0 '^20 of 24 images of parts$' evaluate parts --split all
check 'resumed: the same counts' 0 '12 of 14 training images, 8 of 10 held out' train parts --resume

if command -v python3 > /dev/null; then
  evaluate parts --json > eval.json
  check 'evaluate --json' 0 '^right$' python3 -c '
import json
j = json.load(open("eval.json"))
assert j["layout"] == "train-test" and j["split"] == "held-out" and j["images"] == 10
assert j["classes"] == ["daisy", "roses"]
s = j["skipped"]
assert s["by_rule"] == {"hidden": 1, "not_a_picture": 1, "unreadable": 1, "wrong_size": 1}, s
assert s["count"] == len(s["list"]) == 4
assert any(e["name"].endswith("cut.jpg") and e["reason"] and e["part"] == "held out" for e in s["list"])
c = j["single_crop"]["confusion"]
assert sum(e["images"] for e in c) == j["single_crop"]["images"] == 8
wrong = sum(e["images"] for e in c if e["truth"] != e["guess"])
assert len(j["worst"]) == wrong and all(w["name"].endswith(".jpg") for w in j["worst"])
print("right")'
  check '--log' 0 '^right$' python3 -c '
import json
lines = [json.loads(line) for line in open("logs/parts.jsonl")]
assert [e["event"] for e in lines] == ["data"] + 6 * ["skipped"] + ["epoch", "end"], lines
data, epoch, end = lines[0], lines[-2], lines[-1]
assert data["training"] == {"images": 14, "usable": 12} and data["classes"] == ["daisy", "roses"]
assert epoch["held_out"]["images"] == 8 and 0 <= epoch["held_out"]["top1"] <= 1
assert end["state"] == "finished" and end["single_crop"]["images"] == 8
print("right")'
else
  echo 'skipped: what JSON holds: there is no Python 3'
fi

# ---- a log that cannot be written ----------------------------------------------------------------
if [ -e /dev/full ]; then
  check 'a log on a full disk' 1 '^error: /dev/full: cannot write the log' train parts --log /dev/full
fi
mkdir a_folder
check 'a log that is a folder' 1 'a_folder: cannot be the log' train parts --log a_folder
mkfifo a_pipe
check 'a log that is a pipe' 1 'a_pipe: cannot be the log' train parts --log a_pipe
# In the middle of a run: no file may grow beyond 1 MB, and 5 kB of the log are left.
head -c $((1024 * 1019)) /dev/zero > long.jsonl
check 'a log that becomes too long' 1 'long.jsonl: cannot write the log: .*the weights are safe in long_out' \
  bash -c 'ulimit -f 1024; trap "" XFSZ; exec "$@"' _ "$limulus" train --model lenet5 --data parts \
  --epochs 60 --batch 12 --out long_out --log long.jsonl
cp out.txt long.txt
check 'it ended early' 0 '^0$' sh -c 'grep -c "epoch 60/60" long.txt || true'
check 'its checkpoint is whole' 0 '8 of 10 images' "$limulus" evaluate long_out/checkpoint.safetensors

# ---- class folders: a class called train, folders inside of folders ------------------------------
take daisy 1 6 classes/bus
take roses 1 6 classes/car/2019
take tulips 1 6 classes/train
check 'a class called train' 0 \
  'classes: 3 classes \(bus, car, train\), 15 training images, 3 held out \(3 class folders \(with 6 pictures in folders inside of them\), 20 % of each' \
  train classes
check 'evaluate: what training held out' 0 '^3 images of classes$' evaluate classes
also 'it says so' 'those that training held out'
cp -r classes moved
check 'also where the set was moved' 0 '^3 images of moved$' evaluate classes --data moved
check 'evaluate: all of another set' 0 '^6 images of other$' \
  bash -c "mkdir other && cp -r classes/bus other/bus && '$limulus' evaluate classes_out/checkpoint.safetensors --data other"
also 'and which were none' 'no image of 2 of the network.s 3 classes: car, train'
also 'and how it was read' 'other: .*6 images: all of the set \(1 class folder\)'
check 'and in JSON' 0 '"read_as": "1 class folder",' evaluate classes --data other --json
take sunflowers 1 2 classes/test
check 'a layout that is doubtful' 1 'two ways: as 4 classes \(bus, car, test, train\), or by the roles' \
  train classes
check '--layout' 0 '4 classes \(bus, car, test, train\)' train classes --layout classes
check 'the layout of a run is kept' 0 '4 classes' evaluate classes

# ---- nothing held out, and nothing at all --------------------------------------------------------
take daisy 1 1 single/daisy
take roses 1 1 single/roses
check 'nothing held out' 0 '2 training images, nothing held out' train single
also 'no accuracy of nothing' '\| nothing held out  \|'
also 'nor in the end' '^Nothing was held out, so there is no held-out accuracy'
check 'evaluate: nothing held out' 0 'Nothing is held out.*--split all takes all 2 images' evaluate single
check 'evaluate --json: null' 0 '"top1": null' evaluate single --json
check 'resumed: nothing held out' 0 'Nothing was held out' train single --resume
take daisy 1 2 only_test/test/daisy
take roses 1 2 only_test/test/roses
check 'evaluate: a set without a training part' 0 'The set has no training part.*--split all takes all 4 images' \
  evaluate single --data only_test --split training
cp "$small" single/roses/*.jpg
check 'a class that cannot be used' 1 'none of the 1 training images of class "roses"' train single

# ---- photographs of which some cannot be used ----------------------------------------------------
mkdir looks
cp "$(find parts/test/daisy -name '*.jpg' | head -1)" looks/a.jpg
cp "$(find parts/test/roses -name '*.jpg' | tail -1)" looks/z.jpg
head -c 3000 looks/a.jpg > looks/cut.jpg
cp "$small" looks/small.png
photographs='looks/a.jpg looks/cut.jpg looks/none.jpg looks/small.png looks looks/z.jpg'
for command in 'predict' 'look --out pages' 'look --png maps'; do
  # shellcheck disable=SC2086
  check "$command: some that cannot be used" 1 'error: looks/cut.jpg: the JPEG is incomplete' \
    "$limulus" ${command%% *} parts_out/checkpoint.safetensors $photographs \
    $(case $command in look*) echo "${command#look }" ;; esac)
  also "$command: one that is not there" 'error: looks/none.jpg: '
  also "$command: a small one" 'error: looks/small.png: .*20x12 is smaller than the crop 32x32'
  also "$command: a folder" 'error: looks: is a folder'
done
check 'look: pages of the others' 0 '^a.look.html z.look.html $' sh -c 'ls pages | tr "\n" " "'
check 'look: maps of the others' 0 'a.conv1.png .*z.conv1.png' sh -c 'ls maps | tr "\n" " "'
if command -v python3 > /dev/null; then
  # shellcheck disable=SC2086
  for command in predict look; do # by name, look by the file's alone
    "$limulus" "$command" parts_out/checkpoint.safetensors $photographs --json > some.json 2> /dev/null
    check "$command --json: each photograph, in order" 0 '^right$' python3 -c '
import json
j = json.load(open("some.json"))
assert ["error" in e for e in j] == [False, True, True, True, True, False], j
for e, name in zip(j[1:5], ["looks/cut.jpg", "looks/none.jpg", "looks/small.png", "looks"]):
    assert e.get("image", "looks/" + e.get("photograph", "")).endswith(name) and name in e["error"], e
print("right")'
  done
fi

# ---- shards ---------------------------------------------------------------------------------------
check 'pack' 0 'shards: 3 files, [0-9.]+ MB in all, with 13 training images and 9 held out' \
  "$limulus" pack parts --size 64 --shards 2 --out shards
also 'pack: what is skipped' 'parts/test/roses/cut.jpg: .*\(held out\)'
also 'pack: the counts' '14 training images, 10 held out \(train and test folders'
if command -v tar > /dev/null; then
  check 'tar reads a shard' 0 '^0000000[0-9]_.*[.]jpg 0000000[0-9]_.*[.]cls' \
    sh -c 'tar tf shards/train-000000.tar | tr "\n" " "'
fi
check 'pack again: all is there' 0 '3 files \(3 there already\)' \
  "$limulus" pack parts --size 64 --shards 2 --out shards
check 'pack: a folder that is not there' 1 '^error: nowhere: there is no such folder$' \
  "$limulus" pack nowhere --out shards
check "pack: not into the folder that is packed" 1 'lies in the folder that is packed, parts' \
  "$limulus" pack parts --size 64 --out parts/train/shards
check 'pack: other options' 1 'side was 64, and is 32 now. Choose another --out' \
  "$limulus" pack parts --size 32 --shards 2 --out shards
check 'train on shards' 0 'shards: 2 classes \(daisy, roses\), 13 training images, 9 held out \(2 shards of training pictures, 1 shard of held-out ones\)' \
  train shards --shuffle-buffer 5
check 'evaluate on shards' 0 '^9 images of shards$' evaluate shards
check 'evaluate: the folders' 0 '^8 of 10 images of parts$' evaluate shards --data parts
check 'resumed on shards' 0 'all of them are done' train shards --resume
check 'resumed with another buffer' 1 'shuffle_buffer: 5 in the checkpoint, 6 now' \
  train shards --resume --shuffle-buffer 6
head -c 5000 shards/test-000000.tar > cut.tar && mv cut.tar shards/test-000000.tar
check 'a shard that was cut' 1 'shards/test-000000.tar: at byte [0-9]+: ' train shards
rm shards/test-000000.tar
check 'a shard that is not there' 1 '1 of 3 shards are not there \(test-000000.tar\): .limulus pack. was stopped' \
  train shards
check 'and packed again' 0 '3 files \(2 there already\)' \
  "$limulus" pack parts --size 64 --shards 2 --out shards

# A picture that vanishes during a run is told of when the epoch ends.
vanishing() {
  local run
  "$limulus" train --model cifar-convnet --data vanishing --batch 8 --workers 0 --cache 0 --epochs 100000 \
    --checkpoint-minutes 0.0001 --out vanished &
  run=$!
  until [ -s vanished/checkpoint.safetensors ] || ! kill -0 $run 2> /dev/null; do sleep 0.05; done
  rm "$(find vanishing/train/roses -name '*.jpg' | sort | head -1)"
  for _ in $(seq 600); do
    grep -q '^note: ' out.txt && break
    sleep 0.1
  done
  kill $run
  wait $run
}
cp -r parts vanishing
check 'a picture that vanishes' 143 '^note: 1 more picture of the set cannot be used' vanishing

# ---- names with control characters ----------------------------------------------------------------
escaped=$(printf 'pa\033[31mrts')
cp -r parts "$escaped"
check 'evaluate: a name with an escape' 0 '^Data    pa.x1b.31mrts: ' evaluate parts --data "$escaped"
if grep -q "$(printf '\033')" out.txt; then
  failed=$((failed + 1))
  echo 'FAILED: evaluate prints a name with an escape as it is'
fi

# ---- names that look equal -----------------------------------------------------------------------
take daisy 1 2 case/train/Daisy
take roses 1 2 case/train/roses
take daisy 3 3 case/test/daisy
take roses 3 3 case/test/roses
check 'capital letters' 1 'there is "Daisy", which differs only in capital and small letters' train case

finish
