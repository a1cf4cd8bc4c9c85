#!/usr/bin/env bash
# Test on several GPUs, or with several processes on a machine without one:
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [arguments of tools/test.py]
# Several machines and Slurm: docs/distributed.md.
set -euo pipefail
(($# >= 3)) || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
config=$1 checkpoint=$2 processes=$3
shift 3
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$tools/../.venv/bin/python  # of `make install`, unless another environment is active
[[ -x $python && -z ${VIRTUAL_ENV:-} ]] || python=python
exec "${PYTHON:-$python}" -m mmdet_digits.launch "$processes" "$tools/test.py" "$config" "$checkpoint" "$@"
