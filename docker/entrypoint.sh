#!/usr/bin/env bash
# Shares the cores among the tasks that run here at the same time, then becomes the command.
set -euo pipefail

cores=$(nproc)
tasks=${CAUSAL_PARALLEL_TASKS:-1}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cores > tasks ? cores / tasks : 1))}
exec "$@"
