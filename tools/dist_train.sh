#!/usr/bin/env bash
# Train on several GPUs, or with several processes on a machine without one:
#   tools/dist_train.sh CONFIG PROCESSES [arguments of tools/train.py]
# Several machines, Slurm, and what happens to the batch: docs/distributed.md.
[[ ${2:-} =~ ^[1-9][0-9]*$ ]] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
exec bash "$(dirname "${BASH_SOURCE[0]}")/torchrun.sh" "$2" train.py "$1" "${@:3}"
