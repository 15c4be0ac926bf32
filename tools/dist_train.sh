#!/usr/bin/env bash
# Train on several GPUs: tools/dist_train.sh CONFIG GPUS [flags of train.py]
#
# On several machines run it on each, with NNODES, NODE_RANK (0 on the first) and MASTER_ADDR (the
# first machine) set, PORT where 29500 is taken. With RESTARTS=N and --work-dir, torchrun starts all
# processes anew, up to N times, after one has failed; they go on from the last checkpoint. SIGTERM
# or SIGUSR1 to this process ends all of them, saved, and restarts nothing.
set -euo pipefail
config=$1 gpus=$2
shift 2
machines=(--standalone)
if [ -n "${NNODES:-}" ]; then
    machines=(--nnodes="$NNODES" --node_rank="${NODE_RANK:-0}"
        --master_addr="$MASTER_ADDR" --master_port="${PORT:-29500}")
fi
# Left to itself torchrun dies of SIGUSR1, and its processes live on.
exec torchrun "${machines[@]}" --nproc_per_node="$gpus" --max-restarts="${RESTARTS:-0}" \
    --signals-to-handle=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1 \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "$@"
