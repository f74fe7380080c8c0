#!/usr/bin/env bash
# What `limulus train` shows while it runs: --find-rate, --snapshots, --live, --tensorboard, and the
# curve on a terminal. Usage: program_watch_test.sh PROGRAM SOURCE_DIR
set -u
limulus=$1
source_dir=$2
# shellcheck source=check.sh
source "$(dirname "$0")/check.sh"

two_classes "$source_dir" # cut to 32 x 32 by the network
train=("$limulus" train --model cifar-convnet --data data --batch 4)

# lacks NAME TEXT FILE: the file is there, and does not hold the text.
lacks() {
  [ -s "$3" ] && ! grep -q -- "$2" "$3"
  result "$1: $2 in $3" $?
}

# ---- nothing of it changes the run --------------------------------------------------------------------
"${train[@]}" --epochs 3 --out bare > out.txt 2>&1
check 'all of it' 0 '^Report +watched/report.html$' \
  "${train[@]}" --epochs 3 --out watched --snapshots 2 --live --tensorboard watched/logs
also 'where the live page is, at the beginning' '^Live +watched/live.html$'
also 'the size of the snapshots' '^Snapshots +watched/snapshots.html \(3, [0-9.]+ [kM]B; their pictures in watched/snapshots, [0-9.]+ [kM]B\)$'
for run in bare watched; do
  "$limulus" convert $run/checkpoint.safetensors $run/weights --all > out.txt 2>&1
done
# (history/epochs has times.)
check 'the weights have the same bits' 0 '^same$' sh -c "diff -r -x epochs.npy bare/weights watched/weights && ls watched/weights | grep -q conv1.weight && echo same"
check 'the start, every second epoch, and the last' 0 '^epoch-0000 epoch-0002 epoch-0003 $' \
  sh -c "ls watched/snapshots | sed -n 's/-filters.png//p' | tr '\n' ' '; echo"
check 'the report links them' 0 'href="snapshots.html">How they formed</a>: 3 snapshots' cat watched/report.html
lacks 'a run without them has no link' 'snapshots.html' bare/report.html
check 'the live page has ended' 0 'The run is finished, after 3 of 3 epochs' cat watched/live.html
lacks 'and asks for nothing more' 'location.reload' watched/live.html
check 'report links them, too' 0 '^Report' "$limulus" report watched/checkpoint.safetensors
check 'where they are beside it' 0 'How they formed</a>: 3 snapshots' cat watched/report.html
check 'but not from elsewhere' 0 '^Report' "$limulus" report watched/checkpoint.safetensors --out elsewhere.html
lacks 'as the link would lead nowhere' 'snapshots.html' elsewhere.html

# ---- stopped, and gone on with ------------------------------------------------------------------------
long=("${train[@]}" --epochs 400 --out long --snapshots 1 --live --tensorboard long/logs)
"${long[@]}" > long.txt 2>&1 &
until grep -q '^epoch  1/' long.txt || ! kill -0 $! 2> /dev/null; do sleep 0.05; done
cp long/live.html running.html
kill -TERM $!
wait $! 2> /dev/null
check 'while it ran, the live page asked for news' 0 'location.reload' cat running.html
check 'stopped: the live page says so' 0 'The run was stopped after [0-9]+ of 400 epochs; --resume goes on' cat long/live.html
lacks 'and asks for nothing more' 'location.reload' long/live.html
check 'report of a stopped run' 0 '^Report' "$limulus" report long/checkpoint.safetensors
check 'links its snapshots' 0 'How they formed' cat long/report.html
"$limulus" train --out long --resume --snapshots 1 --tensorboard long/logs > long.txt 2>&1 &
until [ "$(grep -c '^epoch ' long.txt)" -ge 2 ] || ! kill -0 $! 2> /dev/null; do sleep 0.05; done
kill -TERM $!
wait $! 2> /dev/null
check 'the series has no gap' 0 '^whole$' python3 -c "
import json
epochs = [s['epoch'] for s in json.load(open('long/snapshots/index.json'))['snapshots']]
print('whole' if epochs == list(range(len(epochs))) and len(epochs) > 3 else epochs)"
check 'two files for TensorBoard' 0 '^2$' sh -c 'ls long/logs | grep -c tfevents'
check 'another series' 1 '^error: long/snapshots/index.json: this is not the index' \
  sh -c "echo '{}' > long/snapshots/index.json; '$limulus' train --out long --resume --snapshots 1"
check 'other event files in the folder' 0 'note: watched/logs holds event files of an earlier run' \
  "${train[@]}" --epochs 1 --out again --tensorboard watched/logs

# ---- with the package tensorboard itself --------------------------------------------------------------
python=python3
[ -x "$source_dir/build/tensorboard-venv/bin/python" ] && python=$source_dir/build/tensorboard-venv/bin/python
if "$python" -c 'import tensorboard' 2> /dev/null; then
  cat > read.py << 'PYTHON'
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
for folder, steps in (("watched/logs", 5), ("long/logs", None)):
    events = EventAccumulator(folder, size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    events.Reload()
    loss = events.Scalars("training/loss")
    numbers = [e.step for e in loss]
    # The run that came second into watched/logs takes the first one's place.
    assert numbers == list(range(1, len(numbers) + 1)), numbers
    assert steps is None or len(numbers) == steps, numbers
    assert all(0 < e.value < 10 for e in loss), loss
    assert events.Scalars("training/lr")[0].value > 0
    assert 0 <= events.Scalars("epoch/held_out_top1")[-1].value <= 1
    image = events.Images("filters")[-1]
    assert image.encoded_image_string[:4] == b"\x89PNG" and image.width > image.height > 0, image
    print(folder, "read:", len(numbers), "steps")
PYTHON
  check 'tensorboard reads them' 0 '^long/logs read: [0-9]+ steps$' "$python" -W ignore read.py
else
  echo 'skipped: reading event files with the package tensorboard: it is not installed' \
    '(./run check tensorboard does that)'
fi

# ---- find-rate ----------------------------------------------------------------------------------------
before=$(cksum < bare/checkpoint.safetensors)
check '--find-rate' 0 '^Suggestion  (--lr [0-9.e-]+( at most)?|none): ' "${train[@]}" --find-rate --out bare
also 'of which pictures' '^Sweep +[0-9]+ steps at rising rates, 1e-05 to [0-9.e-]+, and [0-9]+ batches of 4 from the training part: [0-9]+ pictures \([0-9.]+ passes over its 20\); nothing of the held-out part'
also 'a table' '^ +1e-05 +[0-9.]+ +[0-9.]+'
also 'what is learned by heart' 'note: each picture was seen [0-9]+ times'
also 'its page' '^Plot +bare/rates.html$'
[ "$before" = "$(cksum < bare/checkpoint.safetensors)" ]
result 'the checkpoint is as it was' $?
check 'the page' 0 'limulus train --model cifar-convnet --data data --out bare --batch 4 --find-rate' cat bare/rates.html
check 'too little data' 1 '^error: find-rate: the training part of data has 20 usable images, fewer than a batch of 21' \
  "$limulus" train --model cifar-convnet --data data --find-rate --out new --batch 21
for option in '--lr 0.1' '--schedule step' '--epochs 3' '--resume' '--log x' '--snapshots 2' '--live' '--tensorboard x' '--checkpoint-minutes 2'; do
  # shellcheck disable=SC2086
  check "--find-rate with $option" 2 '' "${train[@]}" --find-rate --out bare $option
done

# ---- what ends in a sentence --------------------------------------------------------------------------
for value in 0 -1 1000001 1.5 nan many ''; do
  check "--snapshots '$value'" 2 'snapshots' "${train[@]}" --epochs 1 --out new --snapshots "$value"
done
check '--snapshots without a number' 2 'snapshots' "${train[@]}" --epochs 1 --out new --snapshots
check '--tensorboard without a folder' 2 'tensorboard' "${train[@]}" --epochs 1 --out new --tensorboard
check 'none of these trained' 2 '' ls new/checkpoint.safetensors
: > a_file
check '--tensorboard: a file' 1 '^error: a_file: cannot be the folder: it is a file' "${train[@]}" --epochs 1 --out new --tensorboard a_file
check '--tensorboard: below a file' 1 '^error: a_file/logs: cannot make this folder' "${train[@]}" --epochs 1 --out new --tensorboard a_file/logs
mkdir -p blocked/snapshots blocked/live.html blocked/rates.html blocked/snapshots/index.json other/snapshots.html third
: > third/snapshots
check '--live: a folder in its place' 1 '^error: blocked/live.html: cannot write: it is a folder' "${train[@]}" --epochs 1 --out blocked --live
check '--snapshots: a folder in the place of the index' 1 '^error: blocked/snapshots/index.json: cannot write: it is a folder' "${train[@]}" --epochs 1 --out blocked --snapshots 1
check '--snapshots: a folder in the place of the page' 1 '^error: other/snapshots.html: cannot write' "${train[@]}" --epochs 1 --out other --snapshots 1
check '--snapshots: a file in the place of the folder' 1 '^error: third/snapshots: cannot be the folder' "${train[@]}" --epochs 1 --out third --snapshots 1
check '--find-rate: a folder in its place' 1 '^error: blocked/rates.html: cannot write: it is a folder' "${train[@]}" --find-rate --out blocked
check 'none of these trained, either' 2 '' ls blocked/checkpoint.safetensors other/checkpoint.safetensors third/checkpoint.safetensors
if [ "$(id -u)" -ne 0 ]; then
  mkdir -m 555 closed
  check '--tensorboard: a folder that is closed' 1 '^error: closed/events.out.* cannot make this file' "${train[@]}" --epochs 1 --out new --tensorboard closed
else
  echo 'skipped: a folder that nobody may write to: root may'
fi
# A file system that takes no more, in the middle of a run: the weights are saved first. (A file of
# the run that grows behind the limit; the checkpoint and the pages are smaller.)
limit=$(($(stat -c %s bare/checkpoint.safetensors) / 1024 + 80)) # blocks of 1024 bytes
check 'a full disk: TensorBoard' 1 'error: full/logs/events.* cannot write this file for TensorBoard: File too large; the weights are safe in full/checkpoint.safetensors' \
  bash -c 'ulimit -f "$1"; trap "" XFSZ; shift; exec "$@"' _ "$limit" "$limulus" train --model cifar-convnet --data data --batch 1 --epochs 2000 --lr 0.0001 --out full --tensorboard full/logs
also 'and the run says that it stopped' 'Stopped. Everything is in full/checkpoint.safetensors'
# What cannot be written ends the run, and the live page and the log say so.
during() { # during OUT COMMAND OPTION...: a run in whose first epochs COMMAND is run, and how it ends
  local out=$1 command=$2 run
  shift 2
  "$limulus" train --model cifar-convnet --data data --batch 4 --lr 0.0001 --out "$out" --live --log "$out.log" "$@" \
    > "$out.txt" 2>&1 &
  run=$!
  for _ in $(seq 600); do
    if grep -q '^epoch' "$out.txt"; then break; fi
    sleep 0.1
  done
  eval "$command"
  wait "$run"
  echo "status $?"
  tail -n 2 "$out.txt"
  echo "live: $(grep -c 'location.reload' "$out/live.html")"
}
check 'TensorBoard: the folder vanishes' 0 '^status 1$' during gone 'rm -r gone/logs' --epochs 100000 --tensorboard gone/logs
also 'it says so' 'error: gone/logs/events.* was removed while it was written to; the weights are safe'
also 'the live page asks for nothing more' '^live: 0$'
check 'with the reason' 0 'was removed while it was written to' cat gone/live.html
check 'and so does the log' 0 '"state":"failed".*was removed' tail -n 1 gone.log
check 'the log vanishes' 0 'error: left.log: the log was removed while it was written to' during left 'rm left.log' --epochs 100000
also 'the live page asks for nothing more' '^live: 0$'
check 'snapshots vanish' 0 'snapshots/epoch-.*move the folder away' during lost 'rm lost/snapshots/epoch-0000-*' --epochs 100000 --snapshots 1
also 'the live page asks for nothing more' '^live: 0$'
check 'no report can be written' 0 'report.html: cannot write: it is a folder' during late 'mkdir late/report.html' --epochs 200
also 'the live page asks for nothing more' '^live: 0$'
check 'nor is the log without an end' 0 '"state":"failed"' tail -n 1 late.log
check 'a loss that is no number: the live page says so' 1 'error: train: the loss became' \
  "${train[@]}" --epochs 3 --lr 1e20 --out wild --live
check 'and asks for nothing more' 0 'The run failed after 0 of 3 epochs' cat wild/live.html
check 'with the message' 0 'the first value that is not a number is in' cat wild/live.html

# ---- on a terminal ------------------------------------------------------------------------------------
if command -v script > /dev/null; then
  seen() { # seen VARIABLE=VALUE... -- OPTION...: what a terminal of 100 columns gets
    local variables=()
    while [ "$1" != -- ]; do variables+=("$1"); shift; done
    shift
    env -u LC_ALL -u LC_CTYPE -u LANG TERM=xterm "${variables[@]}" \
      script -qec "stty cols ${columns:-100}; ${train[*]} $*" /dev/null < /dev/null
  }
  check 'a terminal shows the curve' 0 '(▁|█).*accuracy' seen LC_ALL=C.UTF-8 -- --epochs 1 --out t
  check 'also with LANG alone' 0 '(▁|█)' seen LANG=en_GB.utf8 -- --epochs 1 --out t
  blocks() { seen "$@" | grep -c '[▁█]'; }
  check 'none where the characters are others' 1 '^0$' blocks LC_ALL=C LANG=C.UTF-8 -- --epochs 1 --out t
  check 'none where no locale is set' 1 '^0$' blocks -- --epochs 1 --out t
  check 'none on a dumb terminal' 1 '^0$' blocks LC_ALL=C.UTF-8 TERM=dumb -- --epochs 1 --out t
  columns=80 check 'with 80 columns' 0 '(▁|█).*accuracy.*left' seen LC_ALL=C.UTF-8 -- --epochs 1 --out t
  check 'what ends as no number is shown' 1 'loss nan.*!' seen LC_ALL=C.UTF-8 -- --epochs 1 --lr 1e20 --out t
else
  echo 'skipped: the curve on a terminal: there is no script(1)'
fi
check 'a pipe gets no blocks' 0 '^0$' sh -c "LC_ALL=C.UTF-8 ${train[*]} --epochs 1 --out t 2>&1 | grep -c '▁'; true"

# ---- in a browser -------------------------------------------------------------------------------------
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -n "$browser" ]; then
  in_page() { # in_page PAGE SCRIPT: what the script leaves in <pre id="result">
    { cat "$1"; echo "<pre id=\"result\"></pre><script>$2</script>"; } > "$(dirname "$1")/tried.html"
    "$browser" --headless --disable-gpu --no-first-run --no-sandbox --user-data-dir="$PWD/profile" \
      --virtual-time-budget=8000 --dump-dom "file://$PWD/$(dirname "$1")/tried.html" 2> /dev/null |
      tail -c 2000 | sed -n 's/.*<pre id="result">\([^<]*\).*/\1/p'
  }
  check 'the slider is shown, and moves pictures, words and bars' 0 '^shown Before the first step.* other other$' in_page watched/snapshots.html '
    const slider = document.getElementById("when"), img = document.querySelector("[data-picture]");
    const bar = () => document.querySelector(".guesses .value").textContent;
    const before = img.src, value = bar();
    slider.value = 0; slider.dispatchEvent(new Event("input"));
    document.getElementById("result").textContent = (document.getElementById("watch").hidden ? "hidden" : "shown") + " " +
      document.getElementById("moment").textContent + (img.src === before ? " same" : " other") + (bar() === value ? " same" : " other");'
  check 'Play goes to the end and stops there' 0 '^2 Play After epoch 3 of 3' in_page watched/snapshots.html '
    const slider = document.getElementById("when"), play = document.getElementById("play");
    play.click();
    setTimeout(() => { document.getElementById("result").textContent = slider.value + " " + play.textContent + " " +
      document.getElementById("moment").textContent; }, 3000);'
  # An old page of a run that goes on: killed without a word.
  sed 's/data-written="[0-9]*"/data-written="1000000000"/' running.html > old.html
  check 'a page that nobody writes any more stops asking' 0 'Nothing new for [0-9]+ min: was the run killed' in_page old.html '
    setTimeout(() => { document.getElementById("result").textContent = document.getElementById("age").textContent; }, 100);'
  sed "s/data-written=\"[0-9]*\"/data-written=\"$(date +%s)\"/" running.html > now.html
  check 'Pause' 0 '^Go on This page stands still' in_page now.html '
    const pause = document.getElementById("pause"); pause.click();
    document.getElementById("result").textContent = pause.textContent + " " + document.getElementById("age").textContent;'
else
  echo 'skipped: the pages in a browser: there is no Chromium'
fi
finish
