import runpy
import sys
from pathlib import Path

import pytest
import torch
from torchvision.models import get_model_builder

TOOL = Path(__file__).parents[2] / 'tools/model_converters/torchvision2mmdet.py'
ARCH = 'fasterrcnn_resnet50_fpn_v2'


@pytest.fixture
def run(monkeypatch, capsys):
    """Call the tool with arguments; return its exit status and what it printed."""

    def run(*args):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, args)])
        with pytest.raises(SystemExit) as exit_info:
            runpy.run_path(str(TOOL), run_name='__main__')
        return exit_info.value.code, capsys.readouterr()

    return run


def save_weights(path, num_outputs):
    with torch.device('meta'):
        model = get_model_builder(ARCH)(
            weights=None, weights_backbone=None, num_classes=num_outputs
        )
    torch.save({k: torch.zeros(()).expand(v.shape) for k, v in model.state_dict().items()}, path)


def test_convert(run, tmp_path):
    save_weights(tmp_path / 'in.pth', num_outputs=11)
    code, printed = run(tmp_path / 'in.pth', tmp_path / 'out.pth', '--arch', ARCH)
    assert code == 0
    num_tensors = len(torch.load(tmp_path / 'out.pth', weights_only=True)['state_dict'])
    assert f'out.pth: {num_tensors} tensors' in printed.out
    code, printed = run(tmp_path / 'in.pth', tmp_path / 'out.pth', '--arch', ARCH)
    assert code == 1
    assert 'already there' in printed.err


def test_num_classes(run, tmp_path):
    save_weights(tmp_path / 'in.pth', num_outputs=91)
    args = (tmp_path / 'in.pth', tmp_path / 'out.pth', '--arch', ARCH)
    assert run(*args, '--num-classes', 90)[0] == 0
    head = torch.load(tmp_path / 'out.pth', weights_only=True)['state_dict']
    assert head['roi_head.bbox_head.fc_reg.bias'].shape == (360,)


def test_error_is_one_message_without_a_traceback(run, tmp_path):
    code, printed = run(tmp_path / 'none.pth', tmp_path / 'out.pth', '--arch', ARCH)
    assert code == 1
    assert printed.err.startswith(f'error: {tmp_path}/none.pth: no')
    assert '  found:    nothing\n' in printed.err and 'Traceback' not in printed.err
