import pytest
from PIL import Image

from mmdet_digits.deploy.unlabelled_images import images_as_coco
from mmdet_digits.errors import InputError


def test_ids_are_the_stems_and_sizes_those_of_the_pictures(tmp_path):
    Image.new('RGB', (30, 20)).save(tmp_path / '10.png')
    Image.new('L', (7, 9)).save(tmp_path / '9.jpg')
    (tmp_path / 'notes.txt').touch()
    coco = images_as_coco(tmp_path)
    assert coco['images'] == [
        dict(id=9, file_name='9.jpg', width=7, height=9),
        dict(id=10, file_name='10.png', width=30, height=20),
    ]
    assert coco['annotations'] == []
    assert [category['name'] for category in coco['categories']] == list('0123456789')


def test_an_image_that_is_none_is_named(tmp_path):
    (tmp_path / '1.png').write_text('no image')
    with pytest.raises(InputError, match=r'1\.png: not readable'):
        images_as_coco(tmp_path)
