from pathlib import Path

import pytest

from mmdet_digits.apis.image_list import find_images, images_csv, number_images, read_ids
from mmdet_digits.utils.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for name in ('10.png', '2.png', '1.JPG', 'notes.txt', 'deep/er/3.png'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(paths):
    return [path.name for path in paths]


def test_folders_files_and_patterns(folder):
    assert names(find_images([folder])) == ['1.JPG', '2.png', '10.png']
    assert names(find_images([folder / '10.png', folder])) == ['1.JPG', '2.png', '10.png']
    assert names(find_images([f'{folder}/**/*.png'])) == ['2.png', '10.png', '3.png']
    assert names(find_images([folder / 'notes.txt'])) == ['notes.txt']


@pytest.mark.parametrize('name', ['nothing.png', '*.gif', 'deep'])
def test_nothing_there(folder, name):
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


def test_ids_from_a_folder_or_the_map(folder):
    assert read_ids(folder) == [1, 2, 10]
    table = folder / 'images.csv'
    table.write_text(images_csv([3, 1], [Path('b, c.png'), Path('a.png')]))
    assert table.read_text() == 'image_id,file_name\n1,a.png\n3,"b, c.png"\n'
    assert read_ids(table) == [1, 3]


def test_ids_that_nothing_tells(folder):
    (folder / 'cat.png').touch()
    with pytest.raises(InputError, match=r'images\.csv that predict\.py wrote'):
        read_ids(folder)
    with pytest.raises(InputError, match='not a list of images'):
        read_ids(folder / 'notes.txt')
