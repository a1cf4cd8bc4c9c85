"""Every contender scores the same files, each in a process of its own."""

import subprocess
import sys

from printed_tables import rows_of

from mmdet_digits.repository import REPOSITORY


def test_all_find_the_same_figures():
    command = [sys.executable, REPOSITORY / 'benchmarks/evaluation.py']
    arguments = ('--images', '60', '--crowd', '1200')
    done = subprocess.run([*command, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    header, _, *rows = rows_of(done.stdout).values()
    assert header[-1] == 'largest difference' and len(rows) == 3
    for seconds, memory, speed, difference in rows:
        assert float(seconds) > 0 and float(memory.replace(',', '')) > 20
        assert float(speed.replace(',', '')) > 0
        assert float(difference) <= 1e-9
