"""A programme of small stages, for tests that kill it: ``small_programme.py OUT``."""

import sys
import time
from functools import partial
from pathlib import Path

from stages import Record, Stage, output_of, run_stages

OUT = Path(sys.argv[1])
CODE = {
    'first': 'print("hello")',
    'long': 'import subprocess, sys; subprocess.run(["sleep", sys.argv[1]])',
    'failing': 'import sys; print("no such thing", file=sys.stderr); sys.exit(3)',
    'last': 'print("done")',
}


def run(name, folder, seconds):
    """Note that the stage has begun, and run its code."""
    with (OUT / 'begun.txt').open('a') as file:
        file.write(f'{name}\n')
    nap = '0' if (OUT / 'hurry').exists() else '60'
    return dict(printed=output_of([sys.executable, '-c', CODE[name], nap], folder, seconds))


def page(settings, stages):
    """The names of the stages."""
    return '\n'.join(stages)


if __name__ == '__main__':
    OUT.mkdir(exist_ok=True)
    stages = [Stage(name, partial(run, name), least=0.1, most=30) for name in CODE]
    run_stages(lambda: stages, Record(OUT, {}, page), time.monotonic() + 60)
