"""Weights as .safetensors."""

import json

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors import safe_open

from mmdet_digits.checkpoints.exporting import export_weights
from mmdet_digits.checkpoints.reading import read_checkpoint
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.errors import InputError

torch.manual_seed(0)
BITS = torch.randint(-(2**31), 2**31 - 1, (1000,), dtype=torch.int32)
WEIGHTS = {
    'a.weight': torch.randn(4, 3, 2, 2),
    'a.transposed': torch.randn(3, 4).T,
    'a.tiny': torch.tensor([1e-45, -0.0, 3.4e38, 1.17e-38]),
    'a.bits': torch.where(torch.isfinite(BITS.view(torch.float32)), BITS.view(torch.float32), 0),
    'bn.num_batches_tracked': torch.tensor(7),
    'head.fc_cls.weight': torch.randn(11, 3),
    'head.fc_cls.bias': torch.randn(11),
    'empty': torch.zeros(0, 3),
}
META = {
    'cfg': 'model = dict()\nnäme = "x"\n',
    'versions': {'torch': '2.11.0'},
    'dataset_meta': {'classes': DIGITS, 'palette': [(1, 2, 3)]},
}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / 'in.pth'
    torch.save({'state_dict': WEIGHTS, 'meta': META, 'optimizer': {'state': {}}}, path)
    return path


def bits(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).tolist()


def test_float32_comes_back_bit_for_bit(source, tmp_path):
    export_weights(source, tmp_path / 'out.safetensors')
    back = CheckpointLoader.load_checkpoint(str(tmp_path / 'out.safetensors'), 'cpu')
    assert back['state_dict'].keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        read = back['state_dict'][name]
        assert (read.dtype, read.shape, bits(read)) == (value.dtype, value.shape, bits(value))
    assert back['meta'] == {**META, 'dataset_meta': {'classes': DIGITS}}


def test_what_is_known_is_text_that_other_programs_read(source, tmp_path):
    export_weights(source, tmp_path / 'out.safetensors')
    with safe_open(tmp_path / 'out.safetensors', framework='np') as file:
        known = {k: json.loads(v) for k, v in file.metadata().items() if k != 'format'}
        assert file.metadata()['format'] == 'pt'
    assert known == {
        'classes': list(DIGITS),
        'config': META['cfg'],
        'versions': META['versions'],
    }


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_as_large(source, tmp_path, dtype):
    out = tmp_path / 'out.safetensors'
    with pytest.raises(InputError, match='at most'):
        export_weights(source, out, 'float16')
    assert not out.exists()
    torch.save({'state_dict': {'w': WEIGHTS['a.weight'], 'n': torch.tensor(7)}}, source)
    export_weights(source, out, str(dtype).removeprefix('torch.'))
    read = read_checkpoint(out)['state_dict']
    assert torch.equal(read['w'], WEIGHTS['a.weight'].to(dtype))
    assert read['n'].dtype == torch.int64


def test_dropped_weights_take_the_classes_along(source, tmp_path):
    out = tmp_path / 'out.safetensors'
    written = export_weights(source, out, drop=[r'head\.fc_cls'])
    assert written.keys() == WEIGHTS.keys() - {'head.fc_cls.weight', 'head.fc_cls.bias'}
    back = read_checkpoint(out)
    assert back['state_dict'].keys() == written.keys()
    assert 'dataset_meta' not in back['meta']


def test_weights_that_share_memory_are_written_each(tmp_path):
    both = torch.randn(3)
    torch.save({'a': both, 'b': both}, tmp_path / 'in.pth')
    export_weights(tmp_path / 'in.pth', tmp_path / 'out.safetensors')
    read = read_checkpoint(tmp_path / 'out.safetensors')['state_dict']
    assert torch.equal(read['a'], both) and torch.equal(read['b'], both)


def test_files_of_other_programs_are_read(tmp_path):
    from safetensors.torch import save_file

    save_file({'w': torch.ones(2)}, tmp_path / 'x.safetensors')
    read = read_checkpoint(tmp_path / 'x.safetensors')
    assert read == {'state_dict': {'w': read['state_dict']['w']}, 'meta': {}}
    assert read['state_dict']['w'].tolist() == [1, 1]


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'drop': ['fc']}, r'--drop fc: no weight of .*in\.pth begins like this'),
        ({'drop': ['(']}, r'--drop \(: no regular expression'),
        ({'dst': 'out.pth'}, r'found:    \.pth'),
        ({'dst': 'in.pth'}, r'found:    \.pth'),
        ({'src': 'none.pth'}, r'none\.pth: no checkpoint'),
    ],
)
def test_mistakes(source, tmp_path, options, said):
    paths = {'src': 'in.pth', 'dst': 'out.safetensors', **options}
    paths.update({name: tmp_path / paths[name] for name in ('src', 'dst')})
    before = source.read_bytes()
    with pytest.raises(InputError, match=said):
        export_weights(**paths)
    assert source.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ['in.pth']


def test_an_output_that_exists_is_kept(source, tmp_path):
    out = tmp_path / 'out.safetensors'
    out.write_text('kept')
    with pytest.raises(InputError, match='already there'):
        export_weights(source, out)
    assert out.read_text() == 'kept'
    export_weights(source, out, overwrite=True)
    assert read_checkpoint(out)['state_dict'].keys() == WEIGHTS.keys()


def test_no_weights_at_all(tmp_path):
    torch.save({'meta': {'a': 1}}, tmp_path / 'in.pth')
    with pytest.raises(InputError, match='holds no weights'):
        export_weights(tmp_path / 'in.pth', tmp_path / 'out.safetensors')


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16', 'float16'])
def test_weights_that_are_no_numbers_get_no_advice_about_the_dtype(tmp_path, dtype):
    source = tmp_path / 'diverged.pth'
    torch.save({'state_dict': {'a.weight': torch.tensor([1.0, float('nan')])}, 'meta': {}}, source)
    with pytest.raises(InputError, match='NaN or infinity') as error:
        export_weights(source, tmp_path / 'out.safetensors', dtype)
    assert 'dtype' not in error.value.fix
    assert not (tmp_path / 'out.safetensors').exists()
