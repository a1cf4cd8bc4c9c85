import hashlib
import json

import cv2
import pytest

from mmdet_digits.coco.folders import FolderError
from mmdet_digits.errors import InputError
from mmdet_digits.synthetic.writer import MARKER, DatasetSpec, draw_image, write_dataset

SPEC = DatasetSpec(train=24, valid=3, test=2, seed=7)


def digests(folder):
    files = sorted(p for p in folder.rglob('*') if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp('synthetic') / 'digits'
    return folder, write_dataset(folder, SPEC, workers=1)


@pytest.fixture
def small(tmp_path):
    write_dataset(tmp_path / 'digits', DatasetSpec(2, 1, 1, 0), workers=1)
    return tmp_path / 'digits'


@pytest.mark.parametrize('start_method', ['fork', 'spawn'])
def test_same_bytes_with_two_workers(written, tmp_path, start_method):
    write_dataset(tmp_path, SPEC, workers=2, start_method=start_method)
    assert digests(tmp_path) == digests(written[0])


def test_another_seed_draws_other_images(written, tmp_path):
    write_dataset(tmp_path, DatasetSpec(2, 0, 0, seed=8), workers=1)
    same = digests(written[0])
    assert all(same[name] != digest for name, digest in digests(tmp_path).items())


def test_more_images_keep_the_first_ones(written, tmp_path):
    write_dataset(tmp_path, DatasetSpec(5, 0, 0, seed=SPEC.seed), workers=1)
    for index in range(1, 6):
        name = f'train/{index}.png'
        assert (tmp_path / name).read_bytes() == (written[0] / name).read_bytes()


def test_annotations_are_coco_and_spell_the_number(written):
    folder, summaries = written
    for split, count in SPEC.counts.items():
        content = json.loads((folder / f'{split}.json').read_text())
        names = {c['id']: c['name'] for c in content['categories']}
        assert names == {digit + 1: str(digit) for digit in range(10)}
        assert [image['id'] for image in content['images']] == list(range(1, count + 1))
        assert [a['id'] for a in content['annotations']] == list(
            range(1, len(content['annotations']) + 1)
        )
        for image in content['images']:
            pixels = cv2.imread(str(folder / split / image['file_name']))
            assert pixels.shape == (image['height'], image['width'], 3)
            own = [a for a in content['annotations'] if a['image_id'] == image['id']]
            scene = draw_image(SPEC, split, image['id'])
            assert ''.join(names[a['category_id']] for a in own) == scene.digits
            assert [a['bbox'] for a in own] == scene.bboxes.tolist()
            assert all(a['area'] == a['bbox'][2] * a['bbox'][3] for a in own)
    train = summaries[0]
    assert (train.split, train.images) == ('train', 24)
    assert sum(length * n for length, n in train.lengths.items()) == train.digits


def test_second_run_does_nothing(small):
    before = {p: p.stat().st_mtime_ns for p in small.rglob('*')}
    assert write_dataset(small, DatasetSpec(2, 1, 1, 0), workers=1) is None
    assert {p: p.stat().st_mtime_ns for p in small.rglob('*')} == before


def test_other_values_are_refused_without_overwrite(small):
    before = digests(small)
    with pytest.raises(FolderError, match=r'--train 2 (?s:.*)--train 3 (?s:.*)--overwrite'):
        write_dataset(small, DatasetSpec(3, 1, 1, 0), workers=1)
    assert digests(small) == before


def test_overwrite_replaces_only_what_was_made(small):
    (small / 'train' / 'mine.png').write_text('mine')
    (small / 'notes.txt').write_text('mine')
    write_dataset(small, DatasetSpec(1, 1, 0, 5), workers=1, overwrite=True)
    assert {p.name for p in (small / 'train').iterdir()} == {'1.png', 'mine.png'}
    assert not list((small / 'test').iterdir())
    assert (small / 'notes.txt').read_text() == 'mine'
    assert write_dataset(small, DatasetSpec(1, 1, 0, 5), workers=1) is None


@pytest.mark.parametrize('name', ['train.json', 'photo.jpg', 'synthetic.txt'])
def test_foreign_folder_is_refused_and_unchanged(tmp_path, name):
    (tmp_path / name).write_text('{}')
    for overwrite in (False, True):
        with pytest.raises(FolderError, match=rf'{name} but no {MARKER}'):
            write_dataset(tmp_path, SPEC, workers=1, overwrite=overwrite)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize('content', ['', '[]', '{"spec": {"train": -1}}', '{"complete": true}'])
def test_broken_marker_is_refused(tmp_path, content):
    (tmp_path / MARKER).write_text(content)
    with pytest.raises(FolderError, match='not readable'):
        write_dataset(tmp_path, SPEC, workers=1, overwrite=True)
    assert (tmp_path / MARKER).read_text() == content


def test_linked_split_is_refused(small, tmp_path):
    (tmp_path / 'real').mkdir()
    (tmp_path / 'real' / '1.png').write_text('real')
    for path in (small / 'test').iterdir():
        path.unlink()
    (small / 'test').rmdir()
    (small / 'test').symlink_to(tmp_path / 'real')
    with pytest.raises(FolderError, match='is a link'):
        write_dataset(small, SPEC, workers=1, overwrite=True)
    assert (tmp_path / 'real' / '1.png').read_text() == 'real'


def test_out_is_a_file(tmp_path):
    (tmp_path / 'out').write_text('x')
    with pytest.raises(FolderError, match='a file, not a folder'):
        write_dataset(tmp_path / 'out', SPEC, workers=1)


@pytest.mark.parametrize(
    ('harm', 'message'),
    [
        (lambda f: (f / 'train' / '2.png').unlink(), r'train/ lacks 1 of 2 images.* 2\.png'),
        (lambda f: (f / 'valid.json').unlink(), 'valid.json is missing'),
        (lambda f: (f / 'train.json').write_text('{}'), 'train.json was changed'),
    ],
)
def test_damage_is_told_and_overwrite_repairs_it(small, harm, message):
    before = digests(small)
    harm(small)
    with pytest.raises(FolderError, match=message):
        write_dataset(small, DatasetSpec(2, 1, 1, 0), workers=1)
    write_dataset(small, DatasetSpec(2, 1, 1, 0), workers=1, overwrite=True)
    assert digests(small) == before


def test_interrupted_run_looks_unfinished_and_runs_again(tmp_path):
    def interrupt(split, count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path, SPEC, workers=1, on_progress=interrupt)
    assert json.loads((tmp_path / MARKER).read_text())['complete'] is False
    assert not (tmp_path / 'train.json').exists()
    with pytest.raises(FolderError, match='unfinished'):
        write_dataset(tmp_path, DatasetSpec(1, 1, 1, 0), workers=1)
    assert write_dataset(tmp_path, SPEC, workers=1) is not None
    assert json.loads((tmp_path / MARKER).read_text())['complete'] is True


@pytest.mark.parametrize('values', [(-1, 1, 1, 0), (1, 1, 1, -1), (1.5, 1, 1, 0), (True, 1, 1, 0)])
def test_bad_values_are_told(values):
    with pytest.raises(InputError, match='expected: a whole number, 0 or more'):
        DatasetSpec(*values)


def test_unknown_look_is_told():
    with pytest.raises(InputError, match=r'--look foggy(?s:.*)expected: street or clear'):
        DatasetSpec(look='foggy')


def test_another_look_is_another_data_set(small):
    with pytest.raises(FolderError, match=r'--look street(?s:.*)--look clear(?s:.*)--overwrite'):
        write_dataset(small, DatasetSpec(2, 1, 1, 0, look='clear'), workers=1)


def test_nothing_to_draw_is_told():
    with pytest.raises(InputError, match='nothing to draw'):
        DatasetSpec(0, 0, 0, 0)
