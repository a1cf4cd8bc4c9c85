import os
import re
import shutil

import pytest
import torch
from mmengine.logging import MessageHub

from mmdet_digits.checkpoints import resuming
from mmdet_digits.checkpoints.resuming import find_resumable
from mmdet_digits.errors import InputError


def save(path, saved_at, epoch=1, **changes):
    content = {
        'meta': {'epoch': epoch, 'iter': 10 * epoch, 'saved_at': saved_at},
        'state_dict': {'w': torch.ones(5000)},
        'message_hub': MessageHub('test_resuming').state_dict(),
        'optimizer': {'state': {}},
        **changes,
    }
    torch.save({key: value for key, value in content.items() if value is not None}, path)
    return path


@pytest.fixture
def said(monkeypatch):
    """What was logged."""
    messages = []
    monkeypatch.setattr(resuming, 'print_log', lambda message, *_: messages.append(message))
    return lambda: '\n'.join(messages)


@pytest.fixture
def three(tmp_path):
    """A folder with three epochs, saved one after the other."""
    for epoch in (1, 2, 3):
        save(tmp_path / f'epoch_{epoch}.pth', 1000.0 + epoch, epoch)
    return tmp_path


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def flip(path):
    content = bytearray(path.read_bytes())
    content[content.find(torch.ones(5000).numpy().tobytes()) + 5000] ^= 1
    path.write_bytes(content)


def test_the_last_one_is_found_whatever_the_times_of_the_files(three, said):
    for age, path in enumerate(sorted(three.iterdir())):
        os.utime(path, (5000 - age, 5000 - age))
    assert find_resumable(three) == three / 'epoch_3.pth'
    assert 'epoch_3.pth, the last checkpoint that is whole' in said()


def test_an_older_and_longer_run_in_the_same_folder_is_not_taken(three):
    save(three / 'epoch_30.pth', 900.0, epoch=30)
    assert find_resumable(three) == three / 'epoch_3.pth'


@pytest.mark.parametrize('damage', [cut, flip], ids=['cut', 'flip'])
def test_a_damaged_one_is_left_out_and_named(three, said, damage):
    damage(three / 'epoch_3.pth')
    assert find_resumable(three) == three / 'epoch_2.pth'
    text = said()
    assert 'A newer checkpoint is left out.' in text
    assert f'{three}/epoch_3.pth: cannot be read' in text
    assert f'Going on from {three}/epoch_2.pth' in text


def test_an_older_damaged_one_is_not_mentioned(three, said):
    cut(three / 'epoch_1.pth')
    os.utime(three / 'epoch_1.pth', (900, 900))
    assert find_resumable(three) == three / 'epoch_3.pth'
    assert 'epoch_1' not in said()


def test_one_without_optimizer_and_the_best_are_not_taken(three):
    save(three / 'epoch_4.pth', 2000.0, epoch=4, optimizer=None)
    save(three / 'best_mAP_epoch_3.pth', 2000.0)
    assert find_resumable(three) == three / 'epoch_3.pth'


def test_checkpoints_of_other_programs_go_by_the_time_of_their_files(tmp_path):
    for epoch in (1, 2):
        path = save(tmp_path / f'epoch_{epoch}.pth', None, epoch)
        os.utime(path, (1000 + epoch, 1000 + epoch))
    assert find_resumable(tmp_path) == tmp_path / 'epoch_2.pth'


def test_nothing_there_is_said(tmp_path, said):
    assert find_resumable(tmp_path / 'new') is None
    assert 'starts from the beginning' in said()
    (tmp_path / 'best_mAP.pth').touch()
    assert find_resumable(tmp_path) is None


@pytest.mark.parametrize('target', ['nothing.pth', 'link.pth'], ids=['dangling', 'looping'])
def test_a_link_that_leads_nowhere_is_left_out_and_named(three, said, target):
    (three / 'link.pth').symlink_to(target)
    assert find_resumable(three) == three / 'epoch_3.pth'
    assert f'{three}/link.pth: no checkpoint' in said()
    with pytest.raises(InputError, match=r'link\.pth: no checkpoint') as error:
        find_resumable(three, three / 'link.pth')
    assert f'the last whole checkpoint is {three}/epoch_3.pth' in str(error.value)


def test_nothing_but_damaged_ones_is_an_error(three):
    for path in three.iterdir():
        cut(path)
    with pytest.raises(InputError) as error:
        find_resumable(three)
    for epoch in (1, 2, 3):
        assert f'epoch_{epoch}.pth: cannot be read' in str(error.value)
    assert '--work-dir NEW' in str(error.value)


def test_one_that_was_asked_for_is_taken(three, tmp_path):
    assert find_resumable(three, three / 'epoch_1.pth') == three / 'epoch_1.pth'
    elsewhere = shutil.copy(three / 'epoch_1.pth', tmp_path / 'elsewhere.pth')
    assert find_resumable(tmp_path / 'new', elsewhere) == elsewhere


@pytest.mark.parametrize(
    ('fault', 'found'),
    [
        (cut, 'an archive that is cut off'),
        (flip, 'not what its checksum says'),
        (lambda path: path.unlink(), 'nothing'),
        (lambda path: save(path, 1.0, optimizer=None), 'no optimizer'),
        (lambda path: save(path, 1.0, message_hub=None), 'no message_hub'),
        (lambda path: save(path, 1.0, message_hub={'log_scalars': {'a': 1}}), 'log_scalars'),
        (lambda path: save(path, 1.0, meta={'epoch': 'one', 'iter': 1}), r'no meta\.epoch'),
        (lambda path: save(path, 1.0, param_schedulers=3), 'no list of states in param_schedulers'),
        (lambda path: save(path, 1.0, param_schedulers=[{}, 'a']), 'no list of states'),
    ],
    ids=[
        *('cut', 'flip', 'missing', 'optimizer', 'message_hub', 'histories', 'epoch'),
        *('schedulers', 'scheduler'),
    ],
)
def test_one_that_was_asked_for_and_cannot_be_used_names_the_last_that_can(three, fault, found):
    fault(three / 'epoch_3.pth')
    with pytest.raises(InputError, match=found) as error:
        find_resumable(three, three / 'epoch_3.pth')
    last = f'(the last whole checkpoint is {three}/epoch_2.pth)'
    assert str(error.value).endswith(last)
    for path in three.glob('epoch_[12].pth'):
        path.unlink()
    with pytest.raises(InputError, match=re.escape('(there is no other whole one)')):
        find_resumable(three, three / 'epoch_3.pth')
