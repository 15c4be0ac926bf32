#!/usr/bin/env bash
# Train on several GPUs of this machine: tools/dist_train.sh CONFIG GPUS [flags of train.py]
set -euo pipefail
config=$1 gpus=$2
shift 2
torchrun --standalone --nproc_per_node="$gpus" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "$@"
