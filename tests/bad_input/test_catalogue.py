"""Every mistake of the catalogue ends with one message that helps, and changes nothing."""

import hashlib
import re
import shlex
from pathlib import Path

import catalogue_checkpoint
import catalogue_command_line
import catalogue_config
import catalogue_data_set
import catalogue_images
import catalogue_numbers
import catalogue_other_formats
import catalogue_predictions
import catalogue_runs
import catalogue_warned
import pytest
from in_process import Outcome, run_in_process
from sound import COMMANDS, EVALUATE, PREDICT, TRAIN

from mmdet_digits.runs.mmdet_tools import list_tools

CATALOGUES = (
    catalogue_data_set,
    catalogue_images,
    catalogue_config,
    catalogue_checkpoint,
    catalogue_predictions,
    catalogue_numbers,
    catalogue_other_formats,
    catalogue_runs,
    catalogue_command_line,
)
CASES = [
    pytest.param(case, id=f'{catalogue.__name__.removeprefix("catalogue_")}: {case.what}')
    for catalogue in CATALOGUES
    for case in catalogue.CASES
]


UNREADABLE_FILES = 3  # exit status of tools that have left some out


def run(command: str, cwd: Path) -> Outcome:
    tool, *arguments = shlex.split(command)
    return run_in_process(tool, arguments, cwd)


def snapshot(folder: Path) -> dict[str, str]:
    """A hash of each file below a folder; where a link leads; '' for folders."""
    found = {}
    for path in sorted(folder.rglob('*')):
        if path.is_symlink():
            content = f'link to {path.readlink()}'
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ''
        found[str(path.relative_to(folder))] = content
    return found


def assert_one_whole_message(text: str) -> None:
    """One message: what is wrong, what was found, what was expected, and how to put it right."""
    assert 'Traceback' not in text
    assert text.count('error: ') == 1
    if text.startswith('usage: '):  # argparse's own form: the usage is how to put it right
        assert re.search(r'error: (argument )?\S+', text)
        return
    assert text.startswith('error: ')
    for part in ('found:', 'expected:', 'fix:'):
        assert re.search(rf'^  {part} +\S', text, re.MULTILINE), part


@pytest.mark.parametrize('case', CASES)
def test_a_mistake_ends_with_one_message_and_changes_nothing(case, folder):
    if case.breaks:
        case.breaks(folder)
    before = snapshot(folder)
    done = run(case.command, folder)
    assert done.status == (2 if done.stderr.startswith('usage: ') else 1), done.stdout
    assert_one_whole_message(done.stderr)
    for text in case.says:
        assert text in done.stderr
    after = snapshot(folder)
    if case.leaves:
        after = {name: content for name, content in after.items() if not in_folder(name, case)}
    assert after == before


def in_folder(name, case):
    return name == case.leaves or name.startswith(f'{case.leaves}/')


@pytest.mark.parametrize('case', catalogue_warned.CASES, ids=lambda case: case.what)
def test_what_a_command_goes_on_in_spite_of_is_said(case, folder):
    if case.breaks:
        case.breaks(folder)
    before = snapshot(folder)
    done = run(case.command, folder)
    assert done.status == (
        UNREADABLE_FILES if case.command.startswith(('predict', 'pseudo')) else 0
    )
    for text in case.says:
        assert text in done.stdout + done.stderr
    assert 'Traceback' not in done.stdout + done.stderr
    after = snapshot(folder)
    own = [name for name in before if name != 'earlier' and not name.startswith('earlier/')]
    assert {name: after[name] for name in own} == {name: before[name] for name in own}


@pytest.mark.parametrize('command', COMMANDS.values(), ids=COMMANDS)
def test_the_same_commands_work_where_nothing_is_wrong(command, folder):
    done = run(command, folder)
    assert done.status == 0, done.stderr
    assert 'Traceback' not in done.stderr


def test_every_script_of_mmdet_that_is_listed_is_among_them():
    scripts = [command for name, command in COMMANDS.items() if name.startswith('MMDET_')]
    assert sorted(command.split()[3] for command in scripts) == sorted(list_tools())


@pytest.mark.parametrize('command', [TRAIN, PREDICT, EVALUATE])
def test_relative_paths_from_another_folder_work(command, folder):
    (folder / 'elsewhere').mkdir()
    names = '|'.join(path.name for path in folder.iterdir())
    done = run(re.sub(rf' (?=({names})\b)', ' ../', command), folder / 'elsewhere')
    assert done.status == 0, done.stderr


IN_BOTH_WAYS = (
    'data_set: a box of no image',
    'predictions: cut off',
    'command_line: link: output is in use',
)


@pytest.mark.parametrize('case', [case for case in CASES if case.id in IN_BOTH_WAYS])
def test_a_process_of_its_own_says_the_same(case, folder, run_process):
    """What the tests above see in this process is what a user sees."""
    case.breaks(folder)
    here, there = run(case.command, folder), run_process(*shlex.split(case.command), cwd=folder)
    assert (there.returncode, there.stderr) == (here.status, here.stderr)


def test_debug_shows_the_traceback(folder, run_process):
    (folder / 'pred.json').write_text('[')
    done = run_process(*shlex.split(EVALUATE), '--debug', cwd=folder)
    assert done.returncode == 1
    assert 'Traceback' in done.stderr and 'InputError' in done.stderr
