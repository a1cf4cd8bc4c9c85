import copy
import importlib.util
import inspect
import pickle
import subprocess
import sys

import mmcv
import pytest
import torch

from mmdet_digits.ops import ensure_ops

pytestmark = pytest.mark.usefixtures('bridge')


def run_python(*lines):
    """Run lines in a fresh interpreter, where nothing is imported yet."""
    command = [sys.executable, '-c', '\n'.join(lines)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_ensure_ops_can_be_called_again():
    before = sys.modules['mmcv._ext']
    assert ensure_ops() == ensure_ops() == 'torchvision'
    assert sys.modules['mmcv._ext'] is before


def test_mmcv_and_mmdet_import_whole_without_a_word():
    """Even after mmcv.ops failed once: that leaves nothing behind."""
    result = run_python(
        'try:',
        '    import mmcv.ops',
        'except ImportError:',
        '    from mmdet_digits.ops import ensure_ops',
        '    ensure_ops()',
        'import mmcv.cnn, mmcv.ops, mmdet.models, mmdet.structures.mask',
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')


EARLY = 'import mmdet.apis, mmdet.datasets'  # mmdet.models does not load without operators
READY = 'from mmdet_digits.ops import ensure_ops; ensure_ops()'
ORIGINS = """
import sys
for name in sorted(sys.modules):
    if name.startswith('mmdet.'):
        for key, value in sorted(vars(sys.modules[name]).items()):
            print(name, key, getattr(value, '__module__', None))
"""


def test_mmdet_has_the_operators_also_where_it_was_imported_first():
    """Each name of each of its modules comes from where it comes from in the right order."""
    first, after = (
        [line for line in run_python(*lines, ORIGINS).stdout.splitlines() if line[:6] == 'mmdet.']
        for lines in ([EARLY, READY], [READY, EARLY])
    )
    assert 'mmdet.apis.inference RoIPool mmcv.ops.roi_pool' in after
    assert first == after


def test_compiled_operators_are_left_alone(tmp_path):
    (tmp_path / '_ext.py').write_text('nms = 1')
    result = run_python(
        'import mmcv',
        f'mmcv.__path__.append({str(tmp_path)!r})',
        'from mmdet_digits.ops import ensure_ops',
        'print(ensure_ops(), ensure_ops())',
        'print(mmcv._ext.nms, hasattr(mmcv._ext, "softnms"))',
    )
    assert result.stdout.split() == ['compiled', 'compiled', '1', 'False'], result.stderr


def test_compiled_operators_that_do_not_load_are_reported(tmp_path, monkeypatch):
    (tmp_path / '_ext.py').write_text('raise ImportError("undefined symbol: _ZN2at")')
    monkeypatch.setattr(mmcv, '__path__', [*mmcv.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, 'mmcv._ext')
    with pytest.raises(RuntimeError, match='do not load: undefined symbol: _ZN2at') as error:
        ensure_ops()
    assert '--no-build-isolation' in str(error.value)


def test_missing_operator_names_itself_and_the_way_out():
    from mmcv.ops import nms_match

    with pytest.raises(NotImplementedError) as error:
        nms_match(torch.zeros(1, 5), 0.5)
    assert str(error.value).startswith('nms_match needs an mmcv with compiled operators')
    assert '--no-binary onedl-mmcv onedl-mmcv==2.3.6' in str(error.value)


def test_module_stands_introspection_and_pickling():
    module = sys.modules['mmcv._ext']
    assert importlib.util.find_spec('mmcv._ext') is module.__spec__
    assert not hasattr(module, '__file__') and not hasattr(module, '_private')
    assert dict(inspect.getmembers(module))['nms'] is module.nms
    assert pickle.loads(pickle.dumps(module.nms)) is module.nms
    missing = pickle.loads(pickle.dumps(copy.deepcopy(module.some_op)))
    with pytest.raises(NotImplementedError, match='some_op'):
        missing(1, key=2)


def test_environment_reports():
    from mmcv.utils import collect_env as mmcv_env
    from mmdet.utils import collect_env as mmdet_env

    assert 'torchvision' in mmcv_env()['MMCV Compiler']
    assert 'MMDetection' in mmdet_env()


def test_multi_scale_deformable_attention_on_the_cpu():
    from mmcv.ops import MultiScaleDeformableAttention

    layer = MultiScaleDeformableAttention(8, num_heads=2, num_levels=1, num_points=2)
    output = layer(
        torch.randn(3, 1, 8),
        value=torch.randn(4, 1, 8),
        reference_points=torch.rand(1, 3, 1, 2),
        spatial_shapes=torch.tensor([[2, 2]]),
        level_start_index=torch.tensor([0]),
    )
    output.sum().backward()
    assert output.shape == (3, 1, 8) and layer.value_proj.weight.grad.abs().sum() > 0
