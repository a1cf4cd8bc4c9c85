import json

import cv2
import numpy as np
import pytest

from mmdet_digits.coco.folders import FolderError
from mmdet_digits.converters.wider_set import write_wider_set
from mmdet_digits.errors import InputError


def written(root):
    coco = json.loads((root / 'test.json').read_text())
    images = {path.name: path.read_bytes() for path in (root / 'test').iterdir()}
    return coco, images


@pytest.fixture(scope='module')
def loose(digits_root, tmp_path_factory):
    out = tmp_path_factory.mktemp('loose') / 'set'
    write_wider_set(digits_root, out, variants=2, share=(0.4, 0.8))
    return out


def test_every_image_is_there_twice_with_its_digits(loose, digits_root):
    coco, images = written(loose)
    source = json.loads((digits_root / 'valid.json').read_text())
    assert len(coco['images']) == len(images) == 2 * len(source['images'])
    assert len(coco['annotations']) == 2 * len(source['annotations'])
    first = [a['category_id'] for a in source['annotations'] if a['image_id'] == 1]
    for number in (1, 2):
        assert [a['category_id'] for a in coco['annotations'] if a['image_id'] == number] == first


def test_digits_are_smaller_in_their_scenes_and_lie_where_the_boxes_say(loose, digits_root):
    coco, _ = written(loose)
    source = json.loads((digits_root / 'valid.json').read_text())
    small, own = coco['annotations'][0], source['annotations'][0]
    image = coco['images'][0]
    pixels = cv2.imread(str(loose / 'test' / image['file_name']))
    assert pixels.shape[:2] == (image['height'], image['width'])
    before = own['bbox'][3] / source['images'][0]['height']
    assert 0.38 * before < small['bbox'][3] / image['height'] < 0.82 * before
    original = cv2.imread(str(digits_root / 'valid' / '1.png'))
    (x, y, w, h), (X, Y) = (
        np.round(own['bbox']).astype(int),
        np.round(small['bbox'][:2]).astype(int),
    )
    digit = original[y + 2 : y + h - 2, x + 2 : x + w - 2]
    assert np.array_equal(pixels[Y + 2 : Y + h - 2, X + 2 : X + w - 2], digit)


def test_the_same_seed_gives_the_same_bytes(loose, digits_root, tmp_path):
    write_wider_set(digits_root, tmp_path / 'again', variants=2, share=(0.4, 0.8))
    assert written(tmp_path / 'again') == written(loose)
    write_wider_set(digits_root, tmp_path / 'other', variants=2, share=(0.4, 0.8), seed=1)
    assert written(tmp_path / 'other') != written(loose)


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (dict(share=(0.8, 0.4)), '--share'),
        (dict(share=(0.0, 1.0)), '--share'),
        (dict(share=(float('nan'), 1.0)), '--share'),
        (dict(variants=0), '--variants 0'),
        (dict(seed=-1), '--seed -1'),
        (dict(split='absent'), 'absent.json: no such file'),
    ],
)
def test_bad_values_write_nothing(options, said, digits_root, tmp_path):
    with pytest.raises(InputError, match=said):
        write_wider_set(digits_root, tmp_path / 'out', **options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone(digits_root, tmp_path):
    (tmp_path / 'mine').write_text('')
    with pytest.raises(FolderError, match='in use'):
        write_wider_set(digits_root, tmp_path)


def test_the_command(run_tool, digits_root, tmp_path):
    arguments = ('loose', digits_root, '--out', 'loose', '--variants', 1)
    done = run_tool('prepare_data.py', *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'Next: python tools/test.py CONFIG CHECKPOINT --data-root loose' in done.stdout
    assert len(list((tmp_path / 'loose/test').iterdir())) == 16
    done = run_tool('prepare_data.py', *arguments, cwd=tmp_path)
    assert done.returncode == 1 and 'in use' in done.stderr
