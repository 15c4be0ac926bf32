#!/usr/bin/env bash
# Train under Slurm: tools/slurm_train.sh PARTITION JOB_NAME CONFIG GPUS [flags of train.py]
#
# GPUS in all, GPUS_PER_NODE (8) and CPUS_PER_TASK (5) of each machine; SRUN_ARGS are handed on to
# srun. Two minutes before its time is over the job saves and exits with 75 (docs/reliability.md).
set -euo pipefail
partition=$1 name=$2 config=$3 gpus=$4
shift 4
per_node=${GPUS_PER_NODE:-8}
if [ "$gpus" -lt "$per_node" ]; then per_node=$gpus; fi
# shellcheck disable=SC2086  # several arguments in one variable
srun --partition="$partition" --job-name="$name" --ntasks="$gpus" --ntasks-per-node="$per_node" \
    --gres="gpu:$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
    --signal=USR1@120 ${SRUN_ARGS:-} \
    python -u "$(dirname "$0")/train.py" "$config" --launcher slurm "$@"
