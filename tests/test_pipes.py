import subprocess
import sys

import pytest

from mmdet_digits.repository import REPOSITORY

PRINT = """
import logging, sys
from mmdet_digits.cli import reader_may_leave
logging.basicConfig(stream=sys.stdout)
with reader_may_leave():
    print('first', flush=True)
    sys.stdin.read()  # until the reader has left
    for number in range(9):
        {then}
print('after', file=sys.stderr)
"""


def lose_the_reader(*command):
    """Run a command whose reader leaves after the first line; returns status and stderr."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.stdout.close()
    errors = process.communicate()[1]  # closes stdin
    return process.returncode, errors


@pytest.mark.parametrize('then', ["print('x' * 99_999)", "print('x')"])
def test_a_tool_ends_in_silence_when_its_reader_leaves(then):
    assert lose_the_reader(sys.executable, '-c', PRINT.format(then=then)) == (141, '')


def test_log_lines_end_nothing_when_their_reader_leaves():
    code = PRINT.format(then="logging.warning('x')")
    assert lose_the_reader(sys.executable, '-c', code) == (0, 'after\n')


def test_another_broken_pipe_is_an_error():
    code = PRINT.replace('sys.stdin.read()', '').format(then='raise BrokenPipeError')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.endswith('BrokenPipeError\n')


def test_a_table_that_head_cuts_off(digits_root, tmp_path):
    command = (sys.executable, REPOSITORY / 'tools/check_data.py', '--data-root', digits_root)
    assert lose_the_reader(*command)[1] == ''
