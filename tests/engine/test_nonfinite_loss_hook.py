"""A loss that is no number stops the run, keeps its batch, and can be looked into."""

import math
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from recorded_runs import digest, equal
from tiny_runs import tiny_cfg

from mmdet_digits.engine.batch_dumps import KEYS, plain, read_dump, to_batch
from mmdet_digits.engine.replay import replay, same_losses
from mmdet_digits.utils.errors import InputError, RunError

LAST = 3  # iterations of the one epoch
MODULE = 'neck.fpn_convs.0.conv'


@pytest.fixture(autouse=True)
def quick_checkpoints():
    """Here the text of the config is needed: a dump holds it."""


@pytest.fixture
def cfg(digits_root, tmp_path, monkeypatch):
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    cfg = tiny_cfg(tmp_path, images=2 * LAST, batch=2, augmented=True)
    cfg.train_cfg.max_epochs = 1
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint = None
    cfg.custom_hooks.append(dict(type='NonFiniteLossHook'))
    return cfg


class Before(Hook):
    """Do something before an iteration, and note the weights that it starts from."""

    priority = 'VERY_LOW'

    def __init__(self, iteration, action) -> None:
        self.iteration, self.action = iteration, action
        self.batch = self.weights = None

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter + 1 == self.iteration:
            self.action(runner)
        if runner.iter + 1 >= self.iteration:
            self.batch = data_batch
            self.weights = parameters(runner)


def parameters(runner):
    return digest(dict(runner.model.named_parameters()))


def spoil_weight(runner):
    runner.model.get_submodule(MODULE).weight.data[0, 0, 0, 0] = math.inf


def spoil_gradient(runner):
    runner.model.get_submodule(MODULE).weight.register_hook(lambda gradient: gradient * math.nan)


def use_scaler(runner):
    """As on CUDA in float16."""
    runner.optim_wrapper.loss_scaler = torch.amp.GradScaler('cpu', init_scale=1024)


def run(cfg, *hooks):
    """Train; returns the runner and the message it ended with."""
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    try:
        runner.train()
    except RunError as error:
        return runner, str(error)
    return runner, None


def dump_of(cfg):
    (path,) = Path(cfg.work_dir).glob('*/nonfinite_*.pth')
    return path


def test_message_names_batch_losses_and_step(cfg):
    hook = Before(2, spoil_weight)
    runner, text = run(cfg, hook)
    assert text.startswith('The loss is not finite in iteration 2 (epoch 1); it did not reach')
    for sample in hook.batch['data_samples']:
        assert f'{sample.img_id} ({sample.img_path})' in text
    for term in ('loss nan', 'loss_rpn_cls nan', 'loss_rpn_bbox ', 'loss_cls ', 'loss_bbox '):
        assert term in text, term
    rate = runner.optim_wrapper.get_lr()['lr'][0]
    assert f'learning rate {rate:.6g}, last gradient norm nan' in text
    assert re.search(rf'1 of \d+ not finite, e\.g\. {MODULE}\.weight', text)
    assert f'replay_batch.py {dump_of(cfg)}' in text
    assert dump_of(cfg).name == 'nonfinite_1_2.pth'
    assert parameters(runner) == hook.weights


@pytest.mark.parametrize('mixed', [False, True])
def test_dump_gives_the_same_losses_and_the_first_bad_module(cfg, mixed):
    if mixed:
        cfg.optim_wrapper.type = 'PortableAmpOptimWrapper'
    _, text = run(cfg, Before(LAST, spoil_weight))
    assert ('bfloat16 autocast, no loss scale' in text) is mixed
    dump = read_dump(dump_of(cfg))
    result = replay(dump, Config.fromstring(dump['config'], '.py'))
    assert result.precision == ('bfloat16' if mixed else None)
    assert same_losses(dump['losses'], result.losses)
    first = result.runs[result.first_bad]
    assert (first.name, first.kind) == (MODULE, 'Conv2d')
    assert first.finite_inputs and not first.finite_weights
    assert all(run.finite for run in result.runs[: result.first_bad])
    other = replay(dump, Config.fromstring(dump['config'], '.py'), amp=not mixed)
    assert other.precision == (None if mixed else 'bfloat16')


def test_a_sound_batch_replays_bit_for_bit(cfg, monkeypatch):
    """What the model draws at random included: here only the check is made to fail."""
    monkeypatch.setattr(torch, 'isfinite', torch.isnan)
    run(cfg)
    dump = read_dump(dump_of(cfg))
    assert all(map(math.isfinite, dump['losses'].values()))
    result = replay(dump, Config.fromstring(dump['config'], '.py'))
    assert result.losses == dump['losses']
    assert result.first_bad is None
    assert {'backbone.conv1', 'roi_head.bbox_head.loss_cls'} <= {run.name for run in result.runs}


@pytest.fixture
def scaled(cfg):
    """The same under a gradient scaler."""
    cfg.optim_wrapper.type = 'PortableAmpOptimWrapper'
    return cfg


def test_bad_gradients_under_a_scaler_stop_nothing(scaled):
    hook = Before(2, spoil_gradient)
    runner, text = run(scaled, Before(1, use_scaler), hook)
    assert text is None and runner.iter == LAST
    assert runner.optim_wrapper.loss_scaler.get_scale() == 1024 / 2 ** (LAST - 1)
    assert parameters(runner) == hook.weights


def test_bad_loss_under_a_scaler_stops(scaled):
    hook = Before(2, spoil_weight)
    runner, text = run(scaled, Before(1, use_scaler), hook)
    assert 'The loss is not finite in iteration 2' in text
    assert 'bfloat16 autocast, loss scale ' in text
    assert parameters(runner) == hook.weights


def test_gradient_that_is_no_number_stops_before_it_reaches_the_weights(cfg):
    hook = Before(2, spoil_gradient)
    runner, text = run(cfg, hook)
    assert text.startswith('The gradient is not finite in iteration 2')
    assert 'last gradient norm nan' in text and 'weights before the step: all finite' in text
    assert parameters(runner) == hook.weights


def test_iterations_that_only_accumulate_are_checked_too(cfg):
    cfg.optim_wrapper.accumulative_counts = LAST
    _, text = run(cfg, Before(1, spoil_weight))
    assert 'in iteration 1 ' in text


def test_plain_values_give_the_batch_back(cfg):
    batch = next(iter(Runner.build_dataloader(cfg.train_dataloader)))
    again = to_batch(plain(batch))
    assert equal(again['inputs'], batch['inputs'])
    for sample, other in zip(batch['data_samples'], again['data_samples'], strict=True):
        assert torch.equal(sample.gt_instances.bboxes.tensor, other.gt_instances.bboxes)
        assert equal(plain(sample), plain(other))


@pytest.mark.parametrize(
    ('content', 'found'),
    [
        (b'no archive', 'found: '),
        ({'state_dict': {}, 'meta': {}}, 'a file without config, data_samples'),
        ([1, 2], 'a list'),
        (None, 'No such file'),
    ],
    ids=['noise', 'checkpoint', 'list', 'nothing'],
)
def test_other_files_are_no_dumps(tmp_path, content, found):
    path = tmp_path / 'x.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match='not the dump of a batch') as error:
        read_dump(path)
    assert found in str(error.value)


def test_code_in_a_dump_does_not_run(tmp_path):
    class Code:
        def __reduce__(self):
            return Path.touch, (tmp_path / 'ran',)

    torch.save(dict.fromkeys(KEYS, Code()), tmp_path / 'x.pth')
    with pytest.raises(InputError, match='not the dump of a batch'):
        read_dump(tmp_path / 'x.pth')
    assert not (tmp_path / 'ran').exists()


def test_weights_of_another_model_are_refused(cfg):
    run(cfg, Before(1, spoil_weight))
    cfg.model.neck.out_channels = 32
    with pytest.raises(InputError, match='the weights of another model'):
        replay(read_dump(dump_of(cfg)), cfg)
