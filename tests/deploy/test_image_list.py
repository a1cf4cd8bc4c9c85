import os
from pathlib import Path

import pytest

from mmdet_digits.coco.files import number_images
from mmdet_digits.deploy.image_list import (
    check_apart,
    find_images,
    picture_names,
    read_ids,
)
from mmdet_digits.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for name in ('10.png', '2.png', '1.JPG', 'notes.txt', '.2.png', 'deep/er/3.png'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(paths):
    return [path.name for path in paths]


def test_folders_files_and_patterns(folder):
    assert names(find_images([folder])) == ['1.JPG', '2.png', '10.png', '3.png']
    assert names(find_images([folder / '10.png', folder])) == ['1.JPG', '2.png', '10.png', '3.png']
    assert names(find_images([f'{folder}/**/*.png'])) == ['2.png', '10.png', '3.png']
    assert names(find_images([folder / 'notes.txt'])) == ['notes.txt']


@pytest.mark.parametrize('name', ['nothing.png', '*.gif', 'empty', 'x' * 300, 'a\0b'])
def test_nothing_there(folder, name):
    (folder / 'empty').mkdir()
    with pytest.raises(InputError, match='no image there'):
        find_images([folder, folder / name])


@pytest.mark.parametrize(
    ('files', 'ids'),
    [
        (['2.png', '10.png'], [2, 10]),
        (['0007.png'], [7]),
        (['2.png', 'cat.png'], [1, 2]),  # one name is no number: none counts
        (['a/5.png', 'b/5.png'], [1, 2]),
        (['5.png', '05.png'], [1, 2]),
        (['²5.png'], [1]),
    ],
)
def test_ids(files, ids):
    assert number_images([Path(file) for file in files]) == ids


def test_links_to_one_file_are_two_images_and_one_path_is_one(folder, monkeypatch):
    for name in ('20.png', '30.png'):
        (folder / name).symlink_to('2.png')
    (folder / '40.png').symlink_to('40.png')  # to itself
    (folder / '50.png').symlink_to('nothing')
    (folder / 'deep' / 'up').symlink_to('..')
    found = ['1.JPG', '2.png', '10.png', '20.png', '30.png', '40.png', '50.png', '3.png']
    assert names(find_images([folder])) == found
    monkeypatch.chdir(folder)
    assert names(find_images(['.', './20.png', folder])) == found
    assert names(find_images(['40.png'])) == ['40.png']


def test_order_of_names_that_are_hard_to_order(tmp_path):
    for name in ('1\u06632.png', '1a2.png', '\u00b25.png', os.fsdecode(b'caf\xe9.png')):
        (tmp_path / name).touch()
    assert len(find_images([tmp_path])) == 4


@pytest.mark.parametrize(
    ('files', 'expected'),
    [
        (['in/1.jpg'], ['1.png']),
        (['in/a/5.png', 'in/b/5.jpg', 'in/7.JPG'], ['a/5.png', 'b/5.png', '7.png']),
        (['in/5.png', 'in/5.jpg', 'in/6.png'], ['5.png.png', '5.jpg.png', '6.png.png']),
        (['in/1.png', 'other/1.png'], ['in/1.png', 'other/1.png']),
    ],
)
def test_pictures_are_named_as_the_images(files, expected):
    assert picture_names([Path(file) for file in files]) == [Path(name) for name in expected]


def test_images_apart_from_the_outputs(folder):
    check_apart(find_images([folder]), [folder / 'pred.json'], folder / 'pictures')


@pytest.mark.parametrize('image', ['deep/er/3.png', 'link.png', 'deep/linked.png', '2.png'])
def test_images_where_outputs_go_are_refused(folder, image):
    (folder / 'link.png').symlink_to('deep/er/3.png')  # which would be replaced
    (folder / 'deep' / 'linked.png').symlink_to('../10.png')  # likewise
    with pytest.raises(InputError, match='lies where an output goes'):
        check_apart([folder / image], [folder / '2.png'], folder / 'deep' / '..' / 'deep')


@pytest.mark.parametrize(
    'table',
    [
        'image_id,file_name\n1,a.png\n3,"b, c.png"\n',  # images.csv of earlier versions
        'image_id,file_name,number,confidence\n1,"a\n.png",12,0.9\n3,b.png,-1,0.0\n',
        '\ufeffimage_id,file_name\n1,a.png\n3,b.png\n',
    ],
)
def test_ids_from_a_folder_or_the_table(folder, table):
    assert read_ids(folder) == [1, 2, 10, 3]
    (folder / 'numbers.csv').write_text(table, encoding='utf-8')
    assert read_ids(folder / 'numbers.csv') == [1, 3]


def test_ids_that_nothing_tells(folder):
    (folder / 'cat.png').touch()
    with pytest.raises(InputError, match=r'numbers\.csv that predict\.py wrote'):
        read_ids(folder)
    with pytest.raises(InputError, match='not a list of images'):
        read_ids(folder / 'notes.txt')
