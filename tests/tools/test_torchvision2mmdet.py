import pytest
import torch
from torchvision.models import get_model_builder

ARCH = 'fasterrcnn_resnet50_fpn_v2'


@pytest.fixture
def run(run_tool, tmp_path):
    tool = 'model_converters/torchvision2mmdet.py'
    return lambda *arguments: run_tool(tool, *arguments, cwd=tmp_path)


def save_weights(path, num_outputs):
    with torch.device('meta'):
        model = get_model_builder(ARCH)(
            weights=None, weights_backbone=None, num_classes=num_outputs
        )
    torch.save({k: torch.zeros(()).expand(v.shape) for k, v in model.state_dict().items()}, path)


def test_convert(run, tmp_path):
    save_weights(tmp_path / 'in.pth', num_outputs=11)
    done = run('in.pth', 'out.pth', '--arch', ARCH)
    assert done.returncode == 0, done.stderr
    num_tensors = len(torch.load(tmp_path / 'out.pth', weights_only=True)['state_dict'])
    assert f'out.pth: {num_tensors} tensors' in done.stdout
    done = run('in.pth', 'out.pth', '--arch', ARCH)
    assert done.returncode == 1
    assert 'already there' in done.stderr


def test_num_classes(run, tmp_path):
    save_weights(tmp_path / 'in.pth', num_outputs=91)
    assert run('in.pth', 'out.pth', '--arch', ARCH, '--num-classes', 90).returncode == 0
    head = torch.load(tmp_path / 'out.pth', weights_only=True)['state_dict']
    assert head['roi_head.bbox_head.fc_reg.bias'].shape == (360,)


def test_error_is_one_message_without_a_traceback(run, tmp_path):
    done = run('none.pth', 'out.pth', '--arch', ARCH)
    assert done.returncode == 1
    assert done.stderr.startswith('error: none.pth: no')
    assert '  found:    nothing\n' in done.stderr and 'Traceback' not in done.stderr
