import pytest
from mmengine.config import Config

from mmdet_digits.checks.dumped_config import get_setting, read_settings
from mmdet_digits.errors import InputError


def test_what_mmengine_dumps_is_read_as_mmengine_reads_it(tmp_path, digits_root, monkeypatch):
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    cfg = Config.fromfile('configs/digits/frcnn_aug_cosine.py')
    cfg.dump(tmp_path / 'config.py')
    settings = read_settings(tmp_path / 'config.py')
    assert settings == cfg.to_dict()
    assert get_setting(settings, 'train_dataloader.batch_size') == 8
    assert get_setting(settings, 'train_dataloader.batch_size.x', 'none') == 'none'
    assert get_setting(settings, 'nothing') is None


def test_nothing_is_executed_and_what_is_no_literal_is_left_out(tmp_path):
    marker = tmp_path / 'ran'
    path = tmp_path / 'config.py'
    path.write_text(
        f"import os\na = open({str(marker)!r}, 'w')\nb = dict(c=[dict(d=-1), {{'e f': (2,)}}])\n"
        'g = dict(h=os.name)\n'
    )
    assert read_settings(path) == {'b': {'c': [{'d': -1}, {'e f': (2,)}]}}
    assert not marker.exists()


def test_what_is_no_python_is_named(tmp_path):
    (tmp_path / 'config.py').write_text('model = dict(')
    with pytest.raises(InputError, match=r'config\.py: not a dumped config'):
        read_settings(tmp_path / 'config.py')
