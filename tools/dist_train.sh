#!/usr/bin/env bash
# Train on several GPUs, or with several processes on a machine without one:
#   tools/dist_train.sh CONFIG PROCESSES [arguments of tools/train.py]
# Several machines, Slurm, and what happens to the batch: docs/distributed.md.
set -euo pipefail
(($# >= 2)) || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
config=$1 processes=$2
shift 2
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$tools/../.venv/bin/python  # of `make install`, unless another environment is active
[[ -x $python && -z ${VIRTUAL_ENV:-} ]] || python=python
exec "${PYTHON:-$python}" -m mmdet_digits.launch "$processes" "$tools/train.py" "$config" "$@"
