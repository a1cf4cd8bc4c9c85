import pytest
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import TRANSFORMS

from mmdet_digits.datasets.transforms.load_checked_image import LoadCheckedImage
from mmdet_digits.errors import InputError
from mmdet_digits.runs.mmdet_tools import (
    LEFT_OUT,
    SCRIPTS,
    find_tool,
    image_loader,
    list_tools,
    run_mmdet_tool,
)


def test_every_listed_script_is_there():
    names = list_tools()
    assert {'confusion_matrix', 'get_flops', 'print_config', 'browse_dataset'} <= set(names)
    for name in names:
        assert find_tool(name).is_file() and find_tool(f'{name}.py') == find_tool(name)


def test_every_script_left_out_is_one_and_says_why():
    for name, reason in LEFT_OUT.items():
        assert list(SCRIPTS.rglob(f'{name}.py'))
        with pytest.raises(InputError) as error:
            find_tool(name)
        assert reason in error.value.found


def test_unknown_names_get_the_nearest():
    with pytest.raises(InputError, match=r'did you mean get_flops\?'):
        find_tool('get_flop')


def test_a_missing_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr('sys.argv', [])
    monkeypatch.setenv('DIGITS_DATA_ROOT', '')
    with pytest.raises(InputError, match=r'nothing\.py: no such file'):
        run_mmdet_tool('print_config', ['nothing.py'], tmp_path)


def test_the_image_loader_is_replaced_for_a_script_only():
    with image_loader(LoadImageFromFile):
        assert TRANSFORMS.get('LoadCheckedImage') is LoadImageFromFile
    assert TRANSFORMS.get('LoadImageFromFile') is LoadCheckedImage
    with image_loader(None):
        assert TRANSFORMS.get('LoadImageFromFile') is LoadCheckedImage
