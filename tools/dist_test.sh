#!/usr/bin/env bash
# Test on several GPUs, or with several processes on a machine without one:
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [arguments of tools/test.py]
# Several machines and Slurm: docs/distributed.md.
[[ ${3:-} =~ ^[1-9][0-9]*$ ]] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
exec bash "$(dirname "${BASH_SOURCE[0]}")/torchrun.sh" "$3" test.py "$1" "$2" "${@:4}"
