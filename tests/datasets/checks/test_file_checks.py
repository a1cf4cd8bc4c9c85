import numpy as np
import pytest
from check_samples import failures, make_coco, make_image, outcome, table_of, write_split

from mmdet_digits.datasets.checks.files import check_files, leads_out, shared_names


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
