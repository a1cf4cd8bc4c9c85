import json

import pytest

from mmdet_digits.coco.files import (
    CATEGORIES,
    count_coco,
    num_images,
    split_coco,
    write_json,
)
from mmdet_digits.errors import InputError


def make_coco(labels):
    """One image per list of digits."""
    images = [{'id': i, 'file_name': f'{i}.png'} for i in range(1, len(labels) + 1)]
    boxes = [
        {'image_id': i, 'category_id': d + 1} for i, digits in enumerate(labels, 1) for d in digits
    ]
    return {'images': images, 'annotations': boxes, 'categories': CATEGORIES}


def test_categories_are_those_of_hw2():
    assert [c['id'] for c in CATEGORIES] == list(range(1, 11))
    assert [c['name'] for c in CATEGORIES] == list('0123456789')


def test_count():
    counts = count_coco(make_coco([[0, 7], [], [7, 0, 0], [1, 9]]), 'x.json')
    assert (counts.images, counts.boxes) == (4, 7)
    assert counts.digits == (3, 1, 0, 0, 0, 0, 0, 2, 0, 1)
    assert counts.lengths == {0: 1, 2: 2, 3: 1}


def test_count_reads_names_not_ids():
    coco = make_coco([[0, 0, 3]])
    swapped = [dict(c, name={'0': '3', '3': '0'}.get(c['name'], c['name'])) for c in CATEGORIES]
    assert count_coco(coco | {'categories': swapped}, 'x').digits[:4] == (1, 0, 0, 2)
    with pytest.raises(InputError, match=r'x\.json: the categories do not match'):
        count_coco(coco | {'categories': CATEGORIES[1:]}, 'x.json')


@pytest.mark.parametrize(
    ('amount', 'expected'), [('1', 1), ('99', 99), ('0.1', 10), ('0.999', None), ('.5', 50)]
)
def test_num_images(amount, expected):
    if expected is None:
        with pytest.raises(InputError, match='leaves at least one'):
            num_images(amount, 100)
    else:
        assert num_images(amount, 100) == expected


def test_split_keeps_order_and_loses_nothing():
    coco = make_coco([[i % 10] * (i % 4) for i in range(50)])
    parts = split_coco(coco, {'valid': 10, 'test': 5}, seed=3)
    assert [len(part['images']) for part in parts.values()] == [35, 10, 5]
    assert list(parts) == ['train', 'valid', 'test']
    ids = [[image['id'] for image in part['images']] for part in parts.values()]
    assert all(part == sorted(part) for part in ids)
    assert sorted(i for part in ids for i in part) == list(range(1, 51))
    for part, own in zip(parts.values(), ids, strict=True):
        assert all(box['image_id'] in own for box in part['annotations'])
    assert sum(len(p['annotations']) for p in parts.values()) == len(coco['annotations'])
    assert split_coco(coco, {'valid': 10, 'test': 5}, seed=3) == parts
    assert split_coco(coco, {'valid': 10, 'test': 5}, seed=4) != parts


def test_write_is_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'deep' / 'x.json'
    write_json(path, {'a': 1})
    with pytest.raises(InputError, match=r'x\.json: already there(?s:.*)--overwrite'):
        write_json(path, {'a': 2})
    with pytest.raises(TypeError):
        write_json(path, {'a': object()}, overwrite=True)
    assert json.loads(path.read_text()) == {'a': 1}
    write_json(path, {'a': 3}, overwrite=True)
    assert json.loads(path.read_text()) == {'a': 3}
    assert [p.name for p in path.parent.iterdir()] == ['x.json']
    with pytest.raises(InputError, match='found:    a folder'):
        write_json(tmp_path, {'a': 4}, overwrite=True)
