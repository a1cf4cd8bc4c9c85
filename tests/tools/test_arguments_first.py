"""What is said of the arguments is said before torch is imported, which takes seconds."""

import subprocess
import sys

import pytest

from mmdet_digits.repository import REPOSITORY

TOOLS = [str(path) for path in sorted(REPOSITORY.joinpath('tools').rglob('*.py'))]
RUN = """
import runpy, sys
argument, *tools = sys.argv[1:]
for tool in tools:
    sys.argv = [tool, argument]
    try:
        runpy.run_path(tool, run_name='__main__')
    except SystemExit as end:
        print(tool, end.code, 'torch' in sys.modules)
"""


@pytest.mark.parametrize(('argument', 'status'), [('--help', 0), ('--no-such-option', 2)])
def test_no_tool_imports_torch_before_its_arguments_are_read(argument, status):
    command = [sys.executable, '-c', RUN, argument, *TOOLS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    ends = [line for line in done.stdout.splitlines() if line.endswith(('True', 'False'))]
    assert len(TOOLS) > 20
    assert ends == [f'{tool} {status} False' for tool in TOOLS], done.stderr
