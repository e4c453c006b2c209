#!/bin/sh
# Trains both pocket models on a machine with one CUDA device and nothing but Python with PyTorch.
#
#   ./gpu_session.sh pack WORK [TOKENS.npz]  here: what must travel (the scripts, WORK/text, the embedder's pairs)
#   ./gpu_session.sh train WORK OUT [MINUTES] there: goes on for MINUTES (8); call it again until it says that it is done
#   ./gpu_session.sh fetch OUT WORK          here: the parts of OUT as checkpoints, then GGUF files
#
# The whole session is planned for GENERATOR_MINUTES + EMBEDDER_MINUTES of training (16 + 5 by default), whatever
# the number of calls; what a call leaves in WORK is where the next one goes on. Results are parts of at most 15 MiB.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}
device=${DEVICE:-cuda}
generator_minutes=${GENERATOR_MINUTES:-16}
embedder_minutes=${EMBEDDER_MINUTES:-5}
config=${CONFIG:-hidden=320,layers=12,heads=5,kv_heads=1,ffn=960}
workers=${WORKERS:-13}
batch_tokens=${BATCH_TOKENS:-131072}
shard_tokens=${SHARD_TOKENS:-2000000}
usage() {
  sed -n '2,9p' "$0"
  exit 2
}
[ $# -ge 2 ] || usage

pack() {
  mkdir -p "$1"
  "$python" session_pack.py text "$1/text"
  [ -z "${2:-}" ] || "$python" session_pack.py embedder "$2" "$1/tokens.npz"
  du -sh "$1"
}

# Each worker writes shards of its own numbers until it is told to stop; a shard is read once and deleted.
start_workers() {
  for n in $(seq "$workers"); do
    FACET_TRAIN_TEXT="$1/text" "$python" data.py --out "$1/shards" --stage "$2" --shards 100000 \
      --first $((n * 100000 + $(date +%s) % 100000)) --tokens "$shard_tokens" \
      --shards-waiting-max $((workers * 2)) > "$1/worker_$n.log" 2>&1 &
    pids="$pids $!"
  done
}

train() {
  work=$1 out=$2 minutes=${3:-8}
  mkdir -p "$work/shards" "$out"
  # Said at once, not after the generator's minutes.
  [ ! -e "$work/tokens.npz" ] || "$python" -c 'import torch; torch.optim.Muon' || {
    echo "the embedder's training needs torch.optim.Muon, which this PyTorch lacks" >&2
    exit 1
  }
  pids=""
  trap 'for p in $pids; do kill "$p" 2>/dev/null || true; done' EXIT INT TERM
  if [ ! -e "$work/generator.done" ]; then
    start_workers "$work" all
    # 30 seconds of a call are for its start and for sending back.
    FACET_TRAIN_TEXT="$work/text" "$python" train.py --shards "$work/shards" --run "$work/generator" --stages all \
      --device "$device" --config "$config" --minutes "$generator_minutes" --stop-after "$minutes" \
      --batch-tokens "$batch_tokens" --consume --tokens 1e12 --eval-every 0 --save-every 500 ${TRAIN_FLAGS:-}
    cp "$work/generator/loss.csv" "$out/generator_loss.csv"
    if [ -e "$work/generator/DONE" ]; then
      "$python" session_pack.py weights "$work/generator/checkpoint.pt" "$work/generator.pt"
      "$python" session_pack.py split "$work/generator.pt" "$out"
      touch "$work/generator.done"
    fi
    echo "generator: $([ -e "$work/generator.done" ] && echo done || echo 'not done, call again')"
    return
  fi
  if [ -e "$work/tokens.npz" ]; then
    bag=$("$python" -c "print($embedder_minutes * 0.3)")
    full=$("$python" -c "print($embedder_minutes * 0.7)")
    "$python" embedder_train.py --work "$work" --stage bag --batch 4096 --tokens 128 --lr-table 5e-3 --lr-heads 1e-3 \
      --minutes "$bag" --device "$device" ${EMBEDDER_FLAGS:-}
    "$python" embedder_train.py --work "$work" --stage full --init "$work/bag.pt" --batch 1024 --decay 0.4 --tokens 128 \
      --groups 3 --minutes "$full" --device "$device" ${EMBEDDER_FLAGS:-}
    "$python" session_pack.py weights "$work/full.pt" "$work/embedder.pt"
    "$python" session_pack.py split "$work/embedder.pt" "$out"
    cp "$work/full.csv" "$out/embedder_loss.csv"
  fi
  echo "all done"
}

fetch() {
  mkdir -p "$2"
  for name in generator embedder; do
    [ ! -e "$1/$name.pt.sha256" ] || "$python" session_pack.py join "$1/$name.pt" "$2/$name.pt"
  done
  "$python" export.py --checkpoint "$2/generator.pt" --gguf "$2/generator.gguf"
  "$python" plot.py --loss "$1/generator_loss.csv" --out "$2/generator_loss.png"
  [ ! -e "$2/embedder.pt" ] || "$python" embedder_export.py --checkpoint "$2/embedder.pt" --tokenizer tokenizer.model \
    --gguf "$2/embedder.gguf"
}

case $1 in
  pack | train | fetch) "$@" ;;
  *) usage ;;
esac
