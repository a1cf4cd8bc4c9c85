"""Sound checkpoints are read as they were written, from wherever MMEngine takes them."""

import functools
import hashlib
import pickle
import subprocess
import sys
import threading
import warnings
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
from mmdet_digits.checkpoints.plain_state import is_history, plain_state, with_histories
from mmdet_digits.checkpoints.reading import inspect_checkpoint, read_checkpoint
from mmdet_digits.errors import InputError


def training_state() -> dict:
    """All kinds of things that MMEngine saves."""
    hub = MessageHub('test_reading')
    for value in (1.5, 2.5, np.float64(3.5)):
        hub.update_scalar('train/loss', value)
    hub.update_scalar('val/images', 7)
    hub.log_scalars['empty'] = HistoryBuffer(max_length=9)
    hub._resumed_keys['empty'] = True
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
        'parameter': nn.Parameter(torch.ones(2)),
        'half': torch.ones(2, dtype=torch.bfloat16),
    }


def plain_training_state() -> dict:
    """The same as the hook saves it."""
    state = training_state()
    return {**state, 'message_hub': plain_state(state['message_hub'])}


def same(a, b) -> bool:
    """Whether two nested states are of the same types and values."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, HistoryBuffer):
        return same(a.data, b.data) and a.max_length == b.max_length
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
@pytest.mark.parametrize('read', [read_checkpoint, inspect_checkpoint])
def test_a_training_state_is_read_as_it_was_written(tmp_path, zipped, read):
    state = plain_training_state()
    path = tmp_path / 'x.pth'
    path.write_bytes(saved(state, _use_new_zipfile_serialization=zipped))
    found = read(path)
    assert same(found, state)
    assert found['state_dict']._metadata == state['state_dict']._metadata


def test_torch_alone_reads_it_without_any_allow_list(tmp_path):
    path = tmp_path / 'x.pth'
    path.write_bytes(saved(plain_training_state()))
    assert torch.serialization.get_unsafe_globals_in_checkpoint(path) == []
    code = f'import torch; print(sorted(torch.load({str(path)!r}, weights_only=True)))'
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(sorted(training_state()))


def test_histories_go_on_where_they_were(tmp_path):
    (tmp_path / 'x.pth').write_bytes(saved(plain_training_state()))
    hub = with_histories(read_checkpoint(tmp_path / 'x.pth')['message_hub'])
    before = dict(training_state()['message_hub']['log_scalars'])
    assert same(hub['log_scalars'], before)
    history = hub['log_scalars']['train/loss']
    assert history.mean() == 2.5 and history.statistics('max') == 3.5
    history.update(4.0)
    assert history.current() == 4.0
    assert same(with_histories(hub), hub)


@pytest.mark.parametrize(
    'value',
    [
        {},
        {'log': torch.ones(2), 'count': torch.ones(3), 'max_length': 9},
        {'log': torch.ones(2, 2), 'count': torch.ones(2, 2), 'max_length': 9},
        {'log': [1.0], 'count': [1], 'max_length': 9},
        {'log': torch.ones(2), 'count': torch.ones(2), 'max_length': '9'},
        torch.ones(2),
    ],
)
def test_what_is_no_history_stays(value):
    hub = with_histories({'log_scalars': {'a': value}, 'runtime_info': {}})
    assert not is_history(value) and hub == {'log_scalars': {'a': value}, 'runtime_info': {}}


def test_numbers_and_arrays_of_numpy_become_plain():
    given = {
        'a': [np.float32(0.1), np.int64(3), np.bool_(True)],
        'b': (np.arange(4).reshape(2, 2),),
    }
    plain = plain_state(given)
    assert plain == {'a': [float(np.float32(0.1)), 3, True], 'b': ([[0, 1], [2, 3]],)}
    assert [type(value) for value in plain['a']] == [float, int, bool]


def test_checkpoints_of_mmengine_itself_are_refused_unless_they_are_trusted(tmp_path, monkeypatch):
    """They hold objects, as those of earlier versions of this project do."""
    state = training_state()
    (tmp_path / 'x.pth').write_bytes(saved(state))
    for read in (read_checkpoint, inspect_checkpoint):
        with pytest.raises(InputError, match='HistoryBuffer, as in checkpoints of') as error:
            read(tmp_path / 'x.pth')
        assert '--trust-checkpoint' in error.value.fix
    monkeypatch.setattr(reading, '_trusting', True)
    for read in (read_checkpoint, inspect_checkpoint):
        hub = with_histories(read(tmp_path / 'x.pth')['message_hub'])
        assert same(hub['log_scalars'], dict(state['message_hub']['log_scalars']))


def test_weights_of_a_model_and_of_old_python_are_read(tmp_path):
    weights = OrderedDict([('w', torch.ones(2)), ('v', torch.zeros(()).expand(1000))])
    (tmp_path / 'x.pth').write_bytes(saved(weights))
    assert same(read_checkpoint(tmp_path / 'x.pth'), weights)
    shared = {'a': weights['w'], 'b': weights['w'][:1]}
    (tmp_path / 'x.pth').write_bytes(saved(shared, _use_new_zipfile_serialization=False))
    read = read_checkpoint(tmp_path / 'x.pth')
    assert read['a'].untyped_storage().data_ptr() == read['b'].untyped_storage().data_ptr()


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
        'mmdet_digits.checkpoints.sources',
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
    with pytest.raises(URLError) as error:
        load(f'{address}/missing.pth')
    assert error.value.filename == f'{address}/missing.pth'


def test_files_of_one_name_at_two_addresses_are_two(website):
    folder, address = website
    for number in (1, 2):
        (folder / f'run_{number}').mkdir()
        content = saved({'w': torch.full((2,), float(number))})
        (folder / f'run_{number}/epoch_12.pth').write_bytes(content)
    for number in (1, 2, 1):
        read = CheckpointLoader.load_checkpoint(f'{address}/run_{number}/epoch_12.pth')
        assert read['w'].tolist() == [number, number]


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


def test_of_a_file_of_another_pickle_protocol_torch_warns_nobody(tmp_path):
    (tmp_path / 'x.pth').write_bytes(pickle.dumps({'state_dict': {}}, protocol=4))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        with pytest.raises(InputError, match=r'x\.pth: cannot be read as a checkpoint'):
            read_checkpoint(tmp_path / 'x.pth')
    assert [str(warning.message) for warning in said if 'protocol' in str(warning.message)] == []
