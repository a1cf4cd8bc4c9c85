#!/usr/bin/env bash
# Start a tool of this folder in several processes, as dist_train.sh and dist_test.sh do:
#   tools/torchrun.sh PROCESSES TOOL [arguments]
# On several machines NNODES, NODE_RANK, MASTER_ADDR and PORT say which: docs/distributed.md.
set -euo pipefail
processes=$1 tool=$2
shift 2
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$tools/../.venv/bin/python  # of `make install`, unless another environment is active
[[ -x $python && -z ${VIRTUAL_ENV:-} ]] || python=python
python=${PYTHON:-$python}
if [[ -z ${OMP_NUM_THREADS:-} ]]; then  # torchrun would give each process one thread
    share="import joblib; print(max(1, joblib.cpu_count() // $processes))"
    OMP_NUM_THREADS=$("$python" -c "$share")
fi
export OMP_NUM_THREADS MKL_NUM_THREADS=${MKL_NUM_THREADS:-$OMP_NUM_THREADS}
machines=(--standalone)
if ((${NNODES:-1} > 1)); then
    machines=(--nnodes "$NNODES" --node-rank "${NODE_RANK:?which of the $NNODES machines this is, from 0}")
    machines+=(--master-addr "${MASTER_ADDR:?name of the first machine}" --master-port "${PORT:-29500}")
fi
exec "$python" -m torch.distributed.run "${machines[@]}" --nproc-per-node "$processes" "$tools/$tool" "$@" --launcher pytorch
