import errno
import os
import shutil
import stat

import pytest
import torch
from mmengine.hooks import Hook
from small_trainings import small_runner

from mmdet_digits.checkpoints.exporting import export_weights
from mmdet_digits.checkpoints.reading import read_checkpoint
from mmdet_digits.checkpoints.resuming import find_resumable
from mmdet_digits.engine.hooks.durable_checkpoint_hook import what_is_replaced
from mmdet_digits.errors import InputError, RunError


def names(folder, pattern='*.pth') -> set[str]:
    return {path.name for path in folder.glob(pattern)}


def vector(path):
    return read_checkpoint(path)['state_dict']['vector'].tolist()


def test_the_last_ones_and_the_best_are_kept(tmp_path):
    small_runner(tmp_path, max_keep_ckpts=2).train()
    assert names(tmp_path) == {'epoch_2.pth', 'epoch_3.pth', 'best_progress_epoch_3.pth'}
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_3.pth')
    assert names(tmp_path, '.*') == set()


def test_the_best_by_each_of_two_metrics(tmp_path):
    small_runner(tmp_path, save_best=['progress', 'left'], rule=['greater', 'less']).train()
    assert names(tmp_path, 'best*') == {'best_progress_epoch_3.pth', 'best_left_epoch_3.pth'}


def test_a_best_one_that_stays_the_best_is_kept(tmp_path):
    small_runner(tmp_path, rule='less').train()
    assert names(tmp_path, 'best*') == {'best_progress_epoch_1.pth'}


def test_by_iterations(tmp_path):
    small_runner(tmp_path, by_epoch=False, interval=1, max_keep_ckpts=1).train()
    assert names(tmp_path) == {'iter_3.pth', 'best_progress_iter_3.pth'}


def test_a_checkpoint_says_where_it_comes_from(tmp_path):
    small_runner(tmp_path, epochs=1).train()
    content = read_checkpoint(tmp_path / 'epoch_1.pth')
    meta = content['meta']
    assert meta['versions']['torch'] == torch.__version__
    assert {'python', 'mmengine', 'mmcv', 'mmdet', 'mmdet_digits'} <= meta['versions'].keys()
    assert meta['dataset_meta'] == {'classes': ('a', 'b')}
    assert meta['metrics']['progress'] == content['message_hub']['runtime_info']['best_score'] > 0
    assert isinstance(meta['seed'], int)
    assert 'cfg' in meta
    assert torch.serialization.get_unsafe_globals_in_checkpoint(tmp_path / 'epoch_1.pth') == []
    if meta['git'] is not None:  # outside a repository there is none
        assert len(meta['git']['commit']) == 40 and meta['git']['dirty'] in (True, False)


class FullDisk:
    """Stands for ``os.fsync``: for files, the disk is full from the n-th on."""

    def __init__(self, monkeypatch, writes: int) -> None:
        self.written, self.writes = 0, writes
        self.original = os.fsync
        monkeypatch.setattr(os, 'fsync', self)

    def __call__(self, descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            if self.written == self.writes:
                raise OSError(errno.ENOSPC, 'No space left on device')
            self.written += 1
        self.original(descriptor)


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
    """The folder of a whole run, and how many files it wrote."""
    folder = tmp_path_factory.mktemp('straight')
    with pytest.MonkeyPatch.context() as patch:
        disk = FullDisk(patch, writes=10**9)
        small_runner(folder, max_keep_ckpts=1).train()
    assert disk.written == 3 * 5  # each epoch: itself, a pointer, the best, both of them again
    return folder


@pytest.mark.parametrize('writes', range(15))
def test_wherever_the_disk_fills_up_the_run_can_go_on(tmp_path, straight, writes):
    with pytest.MonkeyPatch.context() as patch:
        FullDisk(patch, writes)
        with pytest.raises(RunError, match='not written'):
            small_runner(tmp_path, max_keep_ckpts=1).train()
    assert_whole(tmp_path)
    last = find_resumable(tmp_path)
    small_runner(tmp_path, max_keep_ckpts=1, load_from=last, resume=last is not None).train()
    assert names(tmp_path) == names(straight)
    for name in names(straight):
        assert vector(tmp_path / name) == vector(straight / name)


def assert_whole(folder) -> None:
    """Every file can be read, and those that are named are there."""
    for path in folder.glob('*.pth'):
        read_checkpoint(path)
    pointer = folder / 'last_checkpoint'
    if pointer.exists():
        assert names(folder, 'epoch_*')
        read_checkpoint(pointer.read_text())
    last = find_resumable(folder) if names(folder, 'epoch_*') else None
    best = last and read_checkpoint(last)['message_hub']['runtime_info'].get('best_ckpt')
    if best:
        read_checkpoint(best)


def test_what_a_killed_run_left_is_removed(tmp_path):
    (tmp_path / '.epoch_9.pth.part').write_bytes(b'half')
    small_runner(tmp_path, epochs=1).train()
    assert names(tmp_path, '.*') == set()


def test_a_copied_folder_leaves_the_original_alone(tmp_path):
    original, copy = tmp_path / 'original', tmp_path / 'copy'
    small_runner(original, epochs=2).train()
    shutil.copytree(original, copy)
    before = names(original)
    small_runner(copy, epochs=3, load_from=copy / 'epoch_2.pth', resume=True).train()
    assert names(original) == before
    assert names(copy, 'best*') == {'best_progress_epoch_3.pth'}


@pytest.mark.parametrize('many', [False, True])
def test_a_checkpoint_cannot_name_files_to_remove(tmp_path, many):
    folder, mine = tmp_path / 'run', tmp_path / 'mine.pth'
    mine.write_text('mine')
    options = {'max_keep_ckpts': 1}
    if many:
        options |= {'save_best': ['progress', 'left'], 'rule': ['greater', 'less']}
    small_runner(folder, epochs=1, **options).train()
    content = read_checkpoint(folder / 'epoch_1.pth')
    info = content['message_hub']['runtime_info']
    for key in ('best_ckpt', 'best_ckpt_progress', 'best_ckpt_left'):
        info[key] = str(mine)
        content['message_hub']['resumed_keys'][key] = True
    (folder / 'epoch_').mkdir()
    info['keep_ckpt_ids'] = ['/../../mine', '/../../mine']
    info['outdated_ckpts'] = [str(mine), f'{folder}/../mine.pth', 5]
    torch.save(content, folder / 'epoch_1.pth')
    small_runner(folder, load_from=folder / 'epoch_1.pth', resume=True, **options).train()
    assert mine.read_text() == 'mine'


@pytest.mark.parametrize(
    ('checkpoints', 'best', 'resumed', 'said'),
    [
        ([], [], False, None),
        (['epoch_1.pth'], [], True, None),
        (['epoch_1.pth'], [], False, 'has checkpoints of an earlier training: epoch_1.pth. This'),
        (['best_a_epoch_1.pth'], [], False, 'overwrites those of the same names. To go on'),
        (['best_a_epoch_1.pth'], ['best_a_epoch_1.pth'], False, 'and removes best_a_epoch_1.pth'),
        ([f'iter_{n}.pth' for n in range(50)], [], False, 'iter_8.pth, iter_9.pth, ...'),
        (['best_a_epoch_9.pth'], ['best_a_epoch_9.pth'], True, 'a best one: best_a_epoch_9.pth.'),
    ],
)
def test_what_is_said_about_checkpoints_of_an_earlier_training(checkpoints, best, resumed, said):
    text = what_is_replaced('run', checkpoints, best, resumed)
    assert said in text if said else text == ''


def logged(runner, monkeypatch):
    """What a runner warns of."""
    messages = []
    monkeypatch.setattr(runner.logger, 'warning', messages.append)
    return messages


def test_starting_over_in_a_folder_is_said_and_leaves_one_best_checkpoint(tmp_path, monkeypatch):
    small_runner(tmp_path, epochs=3).train()
    (tmp_path / 'best_of_mine.pth').touch()
    again = small_runner(tmp_path, epochs=1)
    messages = logged(again, monkeypatch)
    again.train()
    assert [message for message in messages if 'earlier' in message] == [
        f'{tmp_path} has checkpoints of an earlier training: best_progress_epoch_3.pth, '
        'epoch_1.pth, epoch_2.pth, epoch_3.pth. This one starts from the beginning, overwrites '
        'those of the same names and removes best_progress_epoch_3.pth as soon as it saves a best '
        'one. To go on with the earlier one: --resume. To keep it: --work-dir NEW.'
    ]
    assert names(tmp_path, 'best*') == {'best_progress_epoch_1.pth', 'best_of_mine.pth'}


def test_the_earlier_best_stays_until_there_is_a_new_one(tmp_path, monkeypatch):
    small_runner(tmp_path, epochs=2).train()
    with pytest.MonkeyPatch.context() as patch:
        FullDisk(patch, writes=2)  # an epoch and its pointer, but not its best
        with pytest.raises(RunError):
            small_runner(tmp_path).train()
    assert names(tmp_path, 'best*') == {'best_progress_epoch_2.pth'}
    resumed = small_runner(tmp_path, load_from=tmp_path / 'epoch_1.pth', resume=True)
    messages = logged(resumed, monkeypatch)
    resumed.train()
    assert any('saves a best one: best_progress_epoch_2.pth.' in message for message in messages)
    assert names(tmp_path, 'best*') == {'best_progress_epoch_3.pth'}


PLATEAU = dict(type='ReduceOnPlateauLR', monitor='progress', rule='less', patience=0)
ONE_CYCLE = dict(type='OneCycleLR', eta_max=0.1, total_steps=3)  # a function is part of its state


@pytest.mark.parametrize(
    'scheduler', [None, PLATEAU, ONE_CYCLE], ids=['steps', 'plateau', 'one cycle']
)
def test_a_resumed_run_goes_on_with_histories_and_schedule(tmp_path, scheduler):
    """The metric only rises, so that the plateau lowers the learning rate in each epoch."""
    options = {'param_scheduler': scheduler}
    small_runner(tmp_path / 'a', **options).train()
    last_but_one = tmp_path / 'a/epoch_2.pth'
    small_runner(tmp_path / 'b', load_from=last_but_one, resume=True, **options).train()
    straight, resumed = (read_checkpoint(tmp_path / name / 'epoch_3.pth') for name in 'ab')
    assert straight['param_schedulers'] == resumed['param_schedulers']
    assert torch.equal(straight['state_dict']['vector'], resumed['state_dict']['vector'])
    before, after = (content['message_hub']['log_scalars'] for content in (straight, resumed))
    assert before.keys() == after.keys() >= {'train/loss', 'train/lr', 'val/progress'}
    for name in ('train/loss', 'train/lr', 'val/progress'):
        assert len(before[name]['log']) == 3
        for part in ('log', 'count'):
            assert torch.equal(before[name][part], after[name][part])


class Started(Hook):
    """Notes that the first iteration began."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        raise AssertionError('it started')


def test_other_classes_or_shapes_stop_before_anything_is_trained(tmp_path):
    small_runner(tmp_path / 'a', epochs=1).train()
    checkpoint = tmp_path / 'a/epoch_1.pth'
    for resume in (True, False):
        for change, said in (({'classes': ('b', 'a')}, 'expected: 2: b, a'), ({'size': 5}, '5')):
            runner = small_runner(tmp_path / 'b', load_from=checkpoint, resume=resume, **change)
            runner.register_hook(Started())
            with pytest.raises(InputError, match=said) as error:
                runner.train()
            assert str(error.value).startswith(f'{checkpoint}: ')
    for change in ({'classes': ('b', 'a')}, {'size': 5}):
        with pytest.raises(InputError, match=r'epoch_1\.pth'):
            small_runner(tmp_path / 'b', load_from=checkpoint, **change).test()
    assert small_runner(tmp_path / 'b', load_from=checkpoint).test()['progress'] > 0


def test_weights_as_safetensors_are_tested_and_trained_from(tmp_path):
    small_runner(tmp_path / 'a', epochs=1).train()
    weights = tmp_path / 'x.safetensors'
    export_weights(tmp_path / 'a/epoch_1.pth', weights)
    tested, again = (
        small_runner(tmp_path / 'b', load_from=path).test()
        for path in (weights, tmp_path / 'a/epoch_1.pth')
    )
    assert tested == again
    with pytest.raises(InputError, match='expected: 2: b, a'):
        small_runner(tmp_path / 'b', load_from=weights, classes=('b', 'a')).test()
    small_runner(tmp_path / 'b', epochs=1, load_from=weights).train()
    assert vector(tmp_path / 'b/epoch_1.pth') > vector(tmp_path / 'a/epoch_1.pth')


def test_what_could_not_be_resumed_from_is_said_at_once(tmp_path, monkeypatch):
    runner = small_runner(tmp_path, epochs=2)
    messages = []
    monkeypatch.setattr(runner.logger, 'warning', messages.append)
    runner.message_hub.update_info('more', slice(2))
    runner.train()
    said = [message for message in messages if 'not be possible to resume' in message]
    assert len(said) == 1
    assert f'{tmp_path}/epoch_1.pth: refused' in said[0] and 'found:    slice' in said[0]
