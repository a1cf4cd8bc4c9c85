"""A training that ends after its first iteration and says how long each part of its start took.

benchmarks/startup.py runs this as a process of its own, with the time at which it was started and
the arguments of tools/train.py. The last line that it prints is a JSON object: part -> [seconds of
the clock, seconds of the processor].
"""

import json
import sys
import time
from collections import defaultdict
from pathlib import Path

parts = defaultdict(lambda: [0.0, 0.0])
last = [float(sys.argv.pop(1)), 0.0]


def mark(part: str) -> None:
    """Count the time since the last mark for a part."""
    now = [time.time(), time.process_time()]
    for kind in range(2):
        parts[part][kind] += now[kind] - last[kind]
    last[:] = now


def marked(owner: object, name: str, part: str, before: str | None = None) -> None:
    """Let a function mark when it returns, and when it is called too."""
    function = getattr(owner, name)

    def timed(*args, **kwargs):
        if before:
            mark(before)
        result = function(*args, **kwargs)
        mark(part)
        return result

    setattr(owner, name, timed)


def main() -> None:
    """Start tools/train.py, as it is, and leave when the first iteration is done."""
    sys.path.insert(0, str(Path(__file__).parents[1] / 'tools'))
    import train
    from mmengine.runner import EpochBasedTrainLoop, Runner

    from mmdet_digits import launching

    mark('imports')
    marked(launching, 'load_config', 'config and what it imports')
    marked(launching, 'stop_on_failures', 'checks before the run')
    marked(launching, 'build_runner', 'runner and model')
    for loop in ('build_train_loop', 'build_val_loop'):
        marked(Runner, loop, 'data sets', before='runner and model')
    marked(EpochBasedTrainLoop, 'run_iter', 'first iteration', before='first batch')
    run_iter = EpochBasedTrainLoop.run_iter

    def run_and_leave(*args, **kwargs):
        run_iter(*args, **kwargs)
        print(json.dumps(parts))
        sys.exit()

    EpochBasedTrainLoop.run_iter = run_and_leave
    train.run_tool(train.main)


if __name__ == '__main__':
    main()
