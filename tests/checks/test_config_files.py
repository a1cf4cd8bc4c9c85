import pytest

from mmdet_digits.checks.config_files import check_needed, load_config_file
from mmdet_digits.errors import InputError


def write(folder, **contents):
    """Write config files; returns the first."""
    paths = [folder / f'{name}.py' for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_text(content)
    return paths[0]


def refusal(path):
    with pytest.raises(InputError) as error:
        load_config_file(path)
    return error.value


def test_bases_are_followed_in_packages_and_in_folders(tmp_path):
    (tmp_path / 'deep').mkdir()
    (tmp_path / 'deep' / 'b.py').write_text("_base_ = 'mmdet::_base_/default_runtime.py'\nb = 2\n")
    cfg = load_config_file(write(tmp_path, a="_base_ = ['./deep/b.py']\na = _base_.b + 1\n"))
    assert (cfg.a, cfg.b, cfg.default_scope) == (3, 2, 'mmdet')


@pytest.mark.parametrize(
    ('content', 'what', 'found'),
    [
        ('x = (', 'a.py, line 1: not valid Python', "'(' was never closed: x = ("),
        ('x = 1\ny z\n', 'a.py, line 2: not valid Python', 'invalid syntax: y z'),
        ('x = 1\ny = z\n', 'a.py, line 2: ', "NameError: name 'z' is not defined, in: y = z"),
        ('x = 1 / 0', 'a.py, line 1: ', 'ZeroDivisionError'),
        ("_base_ = 'none.py'", 'a.py: a base is not there', "for 'none.py'"),
        ("_base_ = 'mmdet::none.py'", 'a.py: a base is not there', "for 'mmdet::none.py'"),
        ("_base_ = 'no_package::none.py'", 'a.py: a base is not there', 'no_package'),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path, content, what, found):
    error = refusal(write(tmp_path, a=content))
    assert what in error.what
    assert found in error.found


def test_a_mistake_in_a_base_is_told_as_that_of_the_base(tmp_path):
    error = refusal(write(tmp_path, a="_base_ = 'b.py'", b='x = 1\ny = z\n'))
    assert error.what.startswith(f'{tmp_path}/b.py, line 2')


def test_a_list_is_not_replaced_by_a_dict(tmp_path):
    error = refusal(write(tmp_path, a="_base_ = 'b.py'\nx = dict(y=1)", b='x = [1]'))
    assert 'a.py' in error.what and 'You may set `_delete_=True`' in error.found


@pytest.mark.parametrize(
    'contents',
    [
        dict(a="_base_ = 'a.py'"),
        dict(a="_base_ = 'b.py'", b="_base_ = 'c.py'", c="_base_ = 'a.py'"),
    ],
)
def test_a_config_that_inherits_from_itself_is_told_at_once(tmp_path, contents):
    error = refusal(write(tmp_path, **contents))
    assert error.found.count('a.py') == 2
    assert error.found.count(' -> ') == len(contents)


@pytest.mark.parametrize(
    ('name', 'content', 'found'),
    [
        ('a.txt', 'x = 1', "'.txt'"),
        ('a.json', '{', 'line 1, column 2'),
        ('a.py', b'\x00\xff', ''),
    ],
)
def test_other_files_are_no_configs(tmp_path, name, content, found):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    error = refusal(path)
    assert name in error.what and found in error.found


def test_what_is_needed_and_missing_is_named(tmp_path):
    cfg = load_config_file(write(tmp_path, a='model = dict(type=1)\nempty = None\n'))
    check_needed(cfg, ['model'])
    with pytest.raises(InputError, match=r'a\.py: lacks loader, empty\.\n  found:    model, empty'):
        check_needed(cfg, ['model', 'loader', 'empty'])
