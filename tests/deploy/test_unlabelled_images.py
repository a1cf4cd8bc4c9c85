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


def test_all_images_that_are_none_are_named_at_once(tmp_path):
    Image.effect_noise((30, 20), 50).save(tmp_path / '1.png')
    (tmp_path / '2.png').write_text('no image')
    (tmp_path / '10.png').write_bytes((tmp_path / '1.png').read_bytes()[:200])
    with pytest.raises(InputError) as error:
        images_as_coco(tmp_path)
    assert error.value.what == f'{tmp_path}: 2 of 3 images cannot be read.'
    assert [line.split()[:3] for line in error.value.found.splitlines()] == [
        ['2.png:', '8', 'bytes,'],
        ['10.png:', '200', 'bytes,'],
    ]
    for number in range(11, 200):
        (tmp_path / f'{number}.png').touch()
    with pytest.raises(InputError, match='and 141 more'):
        images_as_coco(tmp_path)
