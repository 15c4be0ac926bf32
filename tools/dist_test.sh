#!/usr/bin/env bash
# Evaluate on several GPUs of this machine: tools/dist_test.sh CONFIG CKPT GPUS [flags of test.py]
set -euo pipefail
config=$1 checkpoint=$2 gpus=$3
shift 3
torchrun --standalone --nproc_per_node="$gpus" \
    "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher pytorch "$@"
