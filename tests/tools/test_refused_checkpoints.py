"""Checkpoints that would run code, given to the commands in every place that takes one."""

import runpy
import sys
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.logging import HistoryBuffer, MessageHub

from mmdet_digits.checkpoints import reading
from mmdet_digits.repository import REPOSITORY

ARCH = 'fasterrcnn_resnet50_fpn_v2'
TINY = str(REPOSITORY / 'configs/digits/frcnn_tiny.py')
SMALL = (
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'train_dataloader.batch_size=2',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'test_dataloader.num_workers=0',
    'test_dataloader.persistent_workers=False',
    'log_level=ERROR',
)
PRETRAINED = f"""_base_ = '{TINY}'
pretrained = dict(_delete_=True, type='Pretrained', checkpoint='x.pth')
model = dict(backbone=dict(init_cfg=pretrained))
"""
CODE = "open('canary', 'w').close()"


class Hostile:
    """Unpickled, it writes a file."""

    def __reduce__(self):
        return exec, (CODE,)


@pytest.fixture
def content():
    """A checkpoint of the tiny config, of which a training could go on."""
    cfg = Config.fromfile(TINY)
    model = MODELS.build(cfg.model)
    optimizer = torch.optim.AdamW(model.parameters())
    return {
        'meta': {'epoch': 3, 'iter': 72},  # of 48 images, two at a time
        'state_dict': model.state_dict(),
        'message_hub': MessageHub('test_hostile_checkpoints').state_dict(),
        'optimizer': optimizer.state_dict(),
        'param_schedulers': [],
    }


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, digits_root):
    """Run a tool in a folder of its own; return its exit status and what it said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reading, '_trusting', False)
    for name in ('DIGITS_DATA_ROOT', 'LOCAL_RANK'):
        monkeypatch.setenv(name, str(digits_root) if name.startswith('D') else '0')

    def run(tool, *arguments):
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        try:
            runpy.run_path(str(REPOSITORY / 'tools' / tool), run_name='__main__')
        except SystemExit as end:
            said = capsys.readouterr().err
            return (1, end.code) if isinstance(end.code, str) else (end.code, said)
        return 0, capsys.readouterr().err

    return run


COMMANDS = {
    'test': ('test.py', TINY, 'x.pth'),
    'predict': ('predict.py', TINY, 'x.pth', 'x.png', '--out', 'out'),
    'resume': ('train.py', TINY, '--resume', 'x.pth', '--cfg-options', *SMALL),
    'load_from': ('train.py', TINY, '--cfg-options', *SMALL, '+load_from=x.pth'),
    'init_cfg': ('train.py', 'pretrained.py', '--cfg-options', *SMALL),
    'convert': ('model_converters/torchvision2mmdet.py', 'x.pth', 'y.pth', '--arch', ARCH),
    'export': ('model_converters/checkpoint2safetensors.py', 'x.pth', 'y.safetensors'),
}


SLOW = ('load_from',)


@pytest.mark.parametrize(
    'command',
    [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in COMMANDS],
)
def test_code_in_a_checkpoint_is_refused(run, content, tmp_path, command):
    (tmp_path / 'pretrained.py').write_text(PRETRAINED)
    content['meta']['more'] = Hostile()
    torch.save(content, 'x.pth')
    Path('x.png').touch()
    status, said = run(*COMMANDS[command])
    assert status == 1
    assert 'x.pth: refused' in said and 'found:    exec' in said
    assert 'Traceback' not in said
    assert not Path('canary').exists()


def test_code_in_a_trusted_checkpoint_runs(run, content):
    """And it would run in the test above. The image stops the command afterwards."""
    content['meta']['more'] = Hostile()
    torch.save(content, 'x.pth')
    Path('x.png').touch()
    status, said = run(*COMMANDS['predict'], '--trust-checkpoint')
    assert status == 1
    assert 'Not one image could be read' in said
    assert Path('canary').exists()


def test_the_weights_of_an_earlier_checkpoint_are_converted_once(run, content):
    """It holds MMEngine's own objects, which are refused; its weights are then read as any."""
    content['message_hub']['log_scalars']['train/loss'] = HistoryBuffer([1.0], [1])
    torch.save(content, 'x.pth')
    status, said = run(*COMMANDS['export'])
    assert status == 1 and 'of earlier versions' in said and COMMANDS['export'][0] in said
    assert run(*COMMANDS['export'], '--trust-checkpoint')[0] == 0
    reading._trusting = False
    read = reading.read_checkpoint('y.safetensors')
    assert read['state_dict'].keys() == content['state_dict'].keys()


def test_a_config_in_a_checkpoint_is_not_run_by_a_resume(run, content):
    """MMEngine runs the text that a checkpoint has as meta.config."""
    content['meta']['config'] = CODE
    torch.save(content, 'x.pth')
    assert run(*COMMANDS['resume'])[0] == 0
    assert not Path('canary').exists()
    Config.fromstring(CODE, file_format='.py')  # what MMEngine's resume does with it
    assert Path('canary').exists()
