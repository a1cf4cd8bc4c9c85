import numpy as np
import pytest
from check_samples import failures, make_coco, make_image, outcome, table_of, write_split

from mmdet_digits.checks.data.files import (
    check_files,
    last_part,
    match_files,
    meant_files,
    shared_names,
)
from mmdet_digits.coco.structure import leads_out, name_problem


def check(coco, folder):
    return check_files(table_of(coco), folder)


def with_name(name):
    coco = make_coco()
    coco['images'][1]['file_name'] = name
    return coco


@pytest.fixture
def folder(tmp_path):
    return write_split(tmp_path).image_dir


def test_sound_folder(folder):
    match, checks = check(make_coco(), folder)
    assert failures(checks) == {}
    assert match.files == {0: '1.png', 1: '2.png', 2: '3.png'}


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('4.png', 'images without file'),
        ('train/2.png', 'images without file'),
        ('nul\0.png', 'images without file'),
        ('\ud800.png', 'images without file'),
        ('x' * 5000, 'images without file'),
        ('2.PNG', 'file names in another case'),
        ('../train/2.png', 'file names that leave the folder'),
        ('a/../2.png', 'file names that leave the folder'),
        ('/2.png', 'file names that leave the folder'),
        ('..\\2.png', 'file names that leave the folder'),
        ('C:\\2.png', 'file names that leave the folder'),
    ],
)
def test_names_that_do_not_lead_to_their_file(folder, name, expected):
    _, checks = check(with_name(name), folder)
    found = failures(checks)
    assert found.pop(expected) == 'fail'
    assert found == ({} if expected.endswith('case') else {'files without entry': 'warn'})
    assert outcome(checks, expected).found.startswith('1: image 2 (')


def test_a_name_in_another_case_still_leads_to_its_file(folder):
    match, checks = check(with_name('2.PNG'), folder)
    assert match.files[1] == '2.png'
    found = outcome(checks, 'file names in another case').found
    assert found == '1: image 2 (2.PNG) is 2.png in the folder'


def test_a_dot_in_front_changes_nothing(folder):
    match, checks = check(with_name('./2.png'), folder)
    assert failures(checks) == {}
    assert match.files[1] == '2.png'


def test_both_cases_may_be_two_files(folder):
    (folder / 'A.png').write_bytes((folder / '1.png').read_bytes())
    coco = make_coco()
    coco['images'] += [make_image(8, file_name='A.png'), make_image(9, file_name='a.png')]
    match, checks = check(coco, folder)
    assert failures(checks) == {'images without file': 'fail'}
    assert match.missing == [4]


def test_images_in_folders_within(folder):
    (folder / 'sub').mkdir()
    (folder / '2.png').rename(folder / 'sub' / '2.png')
    (folder / 'sub' / 'more.jpg').write_bytes(b'x')
    (folder / 'sub' / 'notes.txt').write_bytes(b'x')
    _, checks = check(with_name('sub/2.png'), folder)
    assert failures(checks) == {'files without entry': 'warn'}
    assert outcome(checks, 'files without entry').found == '1: sub/more.jpg'


def test_a_link_that_leads_nowhere_is_no_file(folder):
    (folder / '2.png').unlink()
    (folder / '2.png').symlink_to(folder / 'gone.png')
    _, checks = check(make_coco(), folder)
    assert failures(checks) == {'images without file': 'fail'}


@pytest.mark.parametrize('kind', ['nothing', 'file'])
def test_missing_folder_is_said_once(tmp_path, kind):
    if kind == 'file':
        (tmp_path / 'train').write_text('')
    match, checks = check(make_coco(), tmp_path / 'train')
    assert failures(checks) == {'image folder': 'fail'}
    assert match.files == {} and len(checks) == 1


@pytest.mark.parametrize('name', ['1.png', 'a/1.png', '..png', 'a..b/1.png', 'C:1.png', './1.png'])
def test_names_that_stay_inside(name):
    assert not leads_out(name)


def test_shared_names(tmp_path):
    (tmp_path / 'train').mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'train')
    names = np.array(['1.png', '2.png'], dtype=object)
    one, two = (tmp_path / 'train', names), (tmp_path / 'link', names[1:])
    assert shared_names(one, two) == ['2.png']
    assert shared_names(one, (tmp_path, names)) == []


@pytest.mark.parametrize(
    ('name', 'problem'),
    [
        ('../train/1.png', 'does not stay'),
        ('/home/me/1.png', 'does not stay'),
        ('\\\\server\\1.png', 'does not stay'),
        ('C:/1.png', 'does not stay'),
        ('a/../../1.png', 'does not stay'),
        ('', 'does not stay'),
        ('nul\0.png', 'has a NUL'),
        ('\ud800.png', 'is no UTF-8'),
        ('é' * 126 + '.png', 'has 256 bytes'),
        ('a/' + 'x' * 256, 'has 256 bytes'),
        ('a/' + 'x' * 255, None),
        ('1.png', None),
        ('a/..b/1.png', None),
    ],
)
def test_one_rule_for_names(name, problem):
    found = name_problem(name)
    assert found is None if problem is None else found.startswith(problem)


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('images/1/2.png', '2.png'),
        ('C:\\images\\2.png', '2.png'),
        ('https://example.org/a/2%20b.png?token=1/2', '2 b.png'),
        ('/data/local-files/?d=images/1/2.png', '2.png'),
        ('/data/local-files/?d=2.png', '2.png'),
        ('../train/2', '2'),
    ],
)
def test_the_last_part_of_a_name(name, expected):
    assert last_part(name) == expected


@pytest.mark.parametrize(
    ('names', 'files', 'expected'),
    [
        (['a/1.png'], ['1.png', '2.png'], {0: '1.png'}),
        (['1.png'], ['x/1.png'], {0: 'x/1.png'}),
        (['1'], ['1.png'], {0: '1.png'}),
        (['1.jpg', '2.JPG'], ['1.png', 'y/2.png'], {0: '1.png', 1: 'y/2.png'}),
        (['house.v2'], ['house.v2.png'], {0: 'house.v2.png'}),
        (['1.png'], ['x/1.png', 'y/1.png'], {}),
        (['a/1.png', 'b/1.png'], ['1.png'], {}),
        (['1.jpg'], ['1.png', '1.bmp'], {}),
        (['1.jpg'], ['1.png', 'a/1.jpg'], {0: 'a/1.jpg'}),
        (['3.png'], ['1.png'], {}),
    ],
)
def test_files_that_names_mean(names, files, expected):
    assert meant_files(dict(enumerate(names)), files) == expected


@pytest.mark.parametrize(
    'name',
    [
        'images/1/2.png',
        'http://x.org/2.png',
        '/data/local-files/?d=a/2.png',
        '2',
        '2.jpg',
        '/2.png',
    ],
)
def test_a_name_that_differs_in_folder_or_suffix_is_shown_with_its_file(folder, name):
    match, checks = check(with_name(name), folder)
    (found,) = (c for c in checks if c.status == 'fail')
    assert found.found.endswith(') is 2.png in the folder')
    assert 'writes the names of those that it found' in found.fix
    assert match.files[1] == '2.png'


def test_one_of_two_files_is_taken_whatever_the_order_of_a_set():
    files = {f'{number}.{suffix}' for number in range(20) for suffix in ('PNG', 'Png')}
    match = match_files([f'{number}.png' for number in range(20)], files)
    assert match.files == {number: f'{number}.PNG' for number in range(20)}


def test_files_are_named_in_the_order_of_their_numbers(folder):
    for name in ('10.png', '9.png', 'a\u06612.png', 'a12.png', f'{"9" * 240}.png'):
        (folder / name).write_bytes(b'x')
    match, _ = check(make_coco(), folder)
    assert match.unlisted[:2] == ['9.png', '10.png']
    assert len(match.unlisted) == 5
