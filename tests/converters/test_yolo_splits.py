import pytest
from PIL import Image

from mmdet_digits.coco.folders import FolderError
from mmdet_digits.converters.linking import Plan
from mmdet_digits.converters.yolo_splits import check_free, find_splits, put
from mmdet_digits.errors import InputError


def make(root, *folders):
    for folder in folders:
        (root / folder).mkdir(parents=True)
        Image.new('RGB', (100, 50)).save(root / folder / '1.png')
    return root


@pytest.mark.parametrize(
    ('folders', 'expected'),
    [
        (['train/images', 'train/labels', 'valid/images', 'valid/labels'], ['train', 'valid']),
        (['images/train', 'labels/train', 'images/val', 'labels/val'], ['train', 'valid']),
        (['train/images', 'train/labels', 'test/images'], ['train', 'test']),
        (['images', 'labels'], ['train']),
    ],
)
def test_splits_as_tools_lay_them_out(tmp_path, folders, expected):
    splits = find_splits(make(tmp_path, *folders))
    assert list(splits) == expected
    assert [split.images.is_dir() for split in splits.values()] == [True] * len(expected)
    assert [name for name, split in splits.items() if not split.labels] == (
        ['test'] if 'test/images' in folders else []
    )


@pytest.mark.parametrize(
    ('folders', 'message'),
    [
        (['pictures/train', 'labels/train'], r'no split (?s:.*)labels/, pictures/'),
        (['train/images', 'valid/images', 'valid/labels'], r'train/images has no labels'),
        (['valid/images', 'val/images'], 'several folders of valid images'),
        (['train/images', 'images/train'], 'several folders of train images'),
        (['images/train/a', 'labels/train'], None),
    ],
)
def test_folders_that_are_no_data_set(tmp_path, folders, message):
    root = make(tmp_path, *folders)
    if message is None:
        assert list(find_splits(root)) == ['train']
        return
    with pytest.raises(InputError, match=message):
        find_splits(root)


def test_a_folder_in_use_is_left_alone(tmp_path):
    out = tmp_path / 'out'
    assert check_free(out, overwrite=False) == []
    make(tmp_path, 'images', 'out/train')
    for overwrite in (False, True):
        with pytest.raises(FolderError, match=r'in use; nothing was written(?s:.*)train/'):
            check_free(out, overwrite)
    (tmp_path / 'link').symlink_to(tmp_path / 'images')
    with pytest.raises(FolderError, match=r'link is in use(?s:.*)a link to'):
        check_free(tmp_path / 'link', overwrite=True)


def test_an_earlier_conversion_is_replaced_when_asked(tmp_path):
    images, out = make(tmp_path, 'a', 'b') / 'a', tmp_path / 'out'
    first = Plan({'train': images, 'test': images}, {'train.json': '1', 'test.json': '1'})
    put(out, first, check_free(out, overwrite=False), tmp_path)
    with pytest.raises(FolderError, match='add --overwrite to replace this earlier'):
        check_free(out, overwrite=False)
    second = Plan({'train': tmp_path / 'b', 'test': images}, {'train.json': '2'})
    put(out, second, check_free(out, overwrite=True), tmp_path)
    assert sorted(path.name for path in out.iterdir()) == ['test', 'train', 'train.json']
    assert (out / 'train').readlink() == tmp_path / 'b'
    assert (out / 'train.json').read_text() == '2'
    assert (images / '1.png').is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a', 'b', 'out']
