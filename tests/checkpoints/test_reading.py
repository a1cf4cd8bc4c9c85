"""Sound checkpoints are read as they were written, from wherever MMEngine takes them."""

import functools
import hashlib
import threading
from collections import Counter, OrderedDict
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hostile_pickles import CANARY, PYTHON, Reduced
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner.checkpoint import CheckpointLoader
from pickles import saved
from torch import nn

import mmdet_digits.checkpoints.reading as reading
from mmdet_digits.checkpoints.reading import inspect_checkpoint, read_checkpoint
from mmdet_digits.utils.errors import InputError


def training_state() -> dict:
    """All kinds of things that MMEngine saves."""
    hub = MessageHub('test_reading')
    for value in (1.5, 2.5, np.float64(3.5)):
        hub.update_scalar('train/loss', value)
    hub.update_info('eta', np.float64(7))
    hub.update_info('best_score', np.float32(0.25))
    hub.update_info('epoch_progress', (1, 2))
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 2)).sum().backward()
    optimizer.step()
    return {
        'meta': {'epoch': 1, 'seed': None, 'dataset_meta': {'classes': ('0', '1')}, 'more': {1, 2}},
        'state_dict': model.state_dict(),
        'message_hub': hub.state_dict(),
        'optimizer': optimizer.state_dict(),
        'param_schedulers': [{'milestones': Counter([8, 11]), 'last_step': 3}],
        'bytes': b'\x00\xff',
        'array': np.arange(6, dtype='>i2').reshape(2, 3),
        'parameter': nn.Parameter(torch.ones(2)),
        'half': torch.ones(2, dtype=torch.bfloat16),
    }


def same(a, b) -> bool:
    """Whether two nested states are of the same types and values."""
    if type(a) is not type(b) and not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return a.dtype.newbyteorder('=') == b.dtype.newbyteorder('=') and np.array_equal(a, b)
    if isinstance(a, HistoryBuffer):
        return same(a.data, b.data) and a.max_length == b.max_length
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
def test_a_training_state_is_read_as_it_was_written(tmp_path, zipped):
    state = training_state()
    state['meta'].pop('more')  # MMEngine saves no sets
    path = tmp_path / 'x.pth'
    path.write_bytes(saved(state, _use_new_zipfile_serialization=zipped))
    read = read_checkpoint(path)
    assert same(read, state)
    assert read['state_dict']._metadata == state['state_dict']._metadata
    history = read['message_hub']['log_scalars']['train/loss']
    assert history.mean() == 2.5 and history.statistics('max') == 3.5
    history.update(4.0)
    assert history.current() == 4.0


def test_what_was_read_can_be_written_and_read_again(tmp_path):
    state = training_state()
    state['meta'].pop('more')
    for name in ('a.pth', 'b.pth'):
        (tmp_path / name).write_bytes(saved(state))
        state = read_checkpoint(tmp_path / name)
    assert same(state['message_hub'], training_state()['message_hub'])
    assert same(torch.load(tmp_path / 'b.pth', weights_only=False), state)


def test_weights_of_a_model_and_of_old_python_are_read(tmp_path):
    weights = OrderedDict([('w', torch.ones(2)), ('v', torch.zeros(()).expand(1000))])
    (tmp_path / 'x.pth').write_bytes(saved(weights))
    assert same(read_checkpoint(tmp_path / 'x.pth'), weights)
    shared = {'a': weights['w'], 'b': weights['w'][:1]}
    (tmp_path / 'x.pth').write_bytes(saved(shared, _use_new_zipfile_serialization=False))
    read = read_checkpoint(tmp_path / 'x.pth')
    assert read['a'].untyped_storage().data_ptr() == read['b'].untyped_storage().data_ptr()


def test_inspecting_gives_all_but_the_tensors(tmp_path):
    state = training_state()
    state['meta'].pop('more')
    (tmp_path / 'x.pth').write_bytes(saved(state))
    seen = inspect_checkpoint(tmp_path / 'x.pth')
    assert seen.keys() == state.keys()
    assert seen['state_dict'].keys() == state['state_dict'].keys()
    assert same(seen['meta'], state['meta'])
    assert same(seen['message_hub'], state['message_hub'])


def test_sets_are_refused_by_name(tmp_path):
    (tmp_path / 'x.pth').write_bytes(saved(training_state()))
    with pytest.raises(InputError, match=r'found:    builtins\.set'):
        read_checkpoint(tmp_path / 'x.pth')


def test_a_config_in_meta_that_mmengine_would_run_is_dropped(tmp_path):
    content = {'state_dict': {}, 'meta': {'config': PYTHON, 'cfg': 'a = 1'}}
    (tmp_path / 'x.pth').write_bytes(saved(content))
    assert read_checkpoint(tmp_path / 'x.pth')['meta'] == {'cfg': 'a = 1'}


def test_a_trusted_checkpoint_may_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reading, '_trusting', False)  # and afterwards again
    (tmp_path / 'x.pth').write_bytes(saved({'state_dict': {}, 'more': Reduced(exec, PYTHON)}))
    with pytest.raises(InputError, match='--trust-checkpoint'):
        read_checkpoint('x.pth')
    assert not (tmp_path / CANARY).exists()
    reading.trust_checkpoints()
    assert read_checkpoint('x.pth')['state_dict'] == {}
    assert (tmp_path / CANARY).exists()


def test_no_loader_of_mmengine_is_left():
    loaders = {loader.__module__ for loader in CheckpointLoader._schemes.values()}
    assert loaders == {
        'mmdet_digits.checkpoints.schemes',
        'mmdet_digits.models.torchvision_weights',
    }


@pytest.fixture
def website(tmp_path, monkeypatch):
    """A folder, the address under which it is served, and an empty cache."""
    folder = tmp_path / 'served'
    folder.mkdir()
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '*')
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *args: None
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_a_download_is_kept_and_read_safely(website, tmp_path, monkeypatch):
    folder, address = website
    monkeypatch.chdir(tmp_path)
    (folder / 'good.pth').write_bytes(saved({'w': torch.ones(2)}))
    (folder / 'evil.pth').write_bytes(saved({'w': Reduced(exec, PYTHON)}))
    load = CheckpointLoader.load_checkpoint
    assert load(f'{address}/good.pth')['w'].tolist() == [1, 1]
    (folder / 'good.pth').unlink()
    assert load(f'{address}/good.pth')['w'].tolist() == [1, 1]
    with pytest.raises(InputError, match=r'evil\.pth: refused'):
        load(f'{address}/evil.pth')
    assert not (tmp_path / CANARY).exists()
    with pytest.raises(URLError):
        load(f'{address}/missing.pth')


def test_a_download_has_the_hash_in_its_name(website):
    folder, address = website
    content = saved({'w': torch.ones(2)})
    right = f'net-{hashlib.sha256(content).hexdigest()[:8]}.pth'
    for name in (right, 'net-00000000.pth'):
        (folder / name).write_bytes(content)
    assert 'w' in CheckpointLoader.load_checkpoint(f'{address}/{right}')
    with pytest.raises(InputError, match='not the file that its name promises'):
        CheckpointLoader.load_checkpoint(f'{address}/net-00000000.pth')


def test_places_that_cannot_be_read_safely_say_so():
    for name in ('s3://bucket/x.pth', 'cluster:s3://x.pth', 'pavi://x', 'mmcls://x'):
        with pytest.raises(InputError, match='fetch the file and give its path'):
            CheckpointLoader.load_checkpoint(name)
    with pytest.raises(InputError, match='torchvision://resnet51: unknown weights'):
        CheckpointLoader.load_checkpoint('torchvision://resnet51')
