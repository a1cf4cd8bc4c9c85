import json
from pathlib import Path

import pytest

from mmdet_digits.coco.files import CATEGORIES
from mmdet_digits.coco.folders import FolderError
from mmdet_digits.converters.linking import link_dataset
from mmdet_digits.errors import InputError

SHARED = Path(__file__).resolve().parents[3] / 'shared' / 'data'


def make_source(folder, splits=('train', 'valid', 'test'), count=10):
    """Image i has i % 3 boxes; test has no labels."""
    for split in splits:
        (folder / split).mkdir(parents=True)
        for index in range(1, count + 1):
            (folder / split / f'{index}.png').write_text(f'{split} {index}')
        if split != 'test':
            (folder / f'{split}.json').write_text(json.dumps(make_coco(count)))
    return folder


def make_coco(count):
    size = {'width': 9, 'height': 9}
    images = [{'id': i, 'file_name': f'{i}.png', **size} for i in range(1, count + 1)]
    owners = [i for i in range(1, count + 1) for _ in range(i % 3)]
    box = {'category_id': 1, 'bbox': [1, 1, 2, 3], 'area': 6, 'iscrowd': 0}
    boxes = [{'id': n, 'image_id': owner, **box} for n, owner in enumerate(owners, 1)]
    return {'info': 'x', 'images': images, 'annotations': boxes, 'categories': CATEGORIES}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def stems(folder, split):
    return {int(path.stem) for path in (folder / split).iterdir()}


def test_whole_folders_are_linked_and_twice_is_once(tmp_path):
    source = make_source(tmp_path / 'hw2')
    for _ in range(2):
        splits, notes = link_dataset(source, tmp_path / 'deep/out')
    assert [(s.split, s.images, s.boxes) for s in splits] == [
        ('train', 10, 10),
        ('valid', 10, 10),
        ('test', 10, None),
    ]
    assert notes == []
    out = tmp_path / 'deep/out'
    assert names(out) == ['test', 'train', 'train.json', 'valid', 'valid.json']
    assert all(path.is_symlink() for path in out.iterdir())
    assert names(out.parent) == ['out']


def test_without_test(tmp_path):
    source = make_source(tmp_path / 'hw2', ('train', 'valid'))
    splits, _ = link_dataset(source, tmp_path / 'out')
    assert [s.split for s in splits] == ['train', 'valid']


def test_split_is_disjoint_complete_and_seeded(tmp_path):
    source = make_source(tmp_path / 'svhn', ('train',))
    parts = {'valid': '0.2', 'test': '3'}
    for name, seed in (('a', 0), ('b', 0), ('c', 1)):
        link_dataset(source, tmp_path / name, parts, seed)
    a, b, c = (
        {split: stems(tmp_path / name, split) for split in ('train', 'valid', 'test')}
        for name in 'abc'
    )
    assert a == b != c
    assert [len(a[split]) for split in a] == [5, 2, 3]
    assert set.union(*a.values()) == set(range(1, 11))
    assert sum(map(len, a.values())) == 10


def test_split_json_agrees_with_its_folder(tmp_path):
    source = make_source(tmp_path / 'svhn', ('train',))
    splits, _ = link_dataset(source, tmp_path / 'out', {'valid': '4'})
    whole, boxes = make_coco(10), []
    for split in splits:
        coco = json.loads((tmp_path / f'out/{split.split}.json').read_text())
        assert {image['id'] for image in coco['images']} == stems(tmp_path / 'out', split.split)
        assert {box['image_id'] for box in coco['annotations']} <= stems(
            tmp_path / 'out', split.split
        )
        assert (coco['info'], coco['categories']) == ('x', whole['categories'])
        assert (split.images, split.boxes) == (len(coco['images']), len(coco['annotations']))
        boxes += coco['annotations']
    assert sorted(boxes, key=lambda box: box['id']) == whole['annotations']
    assert not (tmp_path / 'out/valid').is_symlink()
    for path in (tmp_path / 'out/valid').iterdir():
        assert path.read_text() == f'train {path.stem}'


def test_valid_does_not_depend_on_test(tmp_path):
    source = make_source(tmp_path / 'svhn', ('train',))
    link_dataset(source, tmp_path / 'one', {'valid': '3', 'test': None})
    link_dataset(source, tmp_path / 'two', {'valid': '3', 'test': '3'})
    assert stems(tmp_path / 'one', 'valid') == stems(tmp_path / 'two', 'valid')


def test_test_from_train_beside_a_valid_of_its_own(tmp_path):
    source = make_source(tmp_path / 'hw2', ('train', 'valid'))
    splits, _ = link_dataset(source, tmp_path / 'out', {'valid': None, 'test': '1'})
    assert [(s.split, s.images) for s in splits] == [('train', 9), ('valid', 10), ('test', 1)]
    assert (tmp_path / 'out/valid').is_symlink()
    assert not (tmp_path / 'out/train').is_symlink()


def test_split_twice_is_once_and_another_split_is_refused(tmp_path):
    source = make_source(tmp_path / 'svhn', ('train',))
    first, _ = link_dataset(source, tmp_path / 'out', {'valid': '3'})
    before = (tmp_path / 'out/valid.json').stat().st_mtime_ns
    assert link_dataset(source, tmp_path / 'out', {'valid': '3'})[0] == first
    assert (tmp_path / 'out/valid.json').stat().st_mtime_ns == before
    with pytest.raises(FolderError, match='is in use'):
        link_dataset(source, tmp_path / 'out', {'valid': '3'}, seed=1)


@pytest.mark.parametrize(
    ('amount', 'message'),
    [
        ('lots', 'lots of 10 images(?s:.*)expected: a number of images, e.g. 200, or a fraction'),
        ('0', '0 of 10 images'),
        ('-2', '-2 of 10'),
        ('10', '10 of 10'),
        ('1.0', '1.0 of 10'),
        ('0.01', '0.01 of 10'),
        ('nan', 'nan of 10'),
        ('1.0e999', '1.0e999 of 10'),
    ],
)
def test_bad_amounts(tmp_path, amount, message):
    source = make_source(tmp_path / 'svhn', ('train',))
    with pytest.raises(InputError, match=message):
        link_dataset(source, tmp_path / 'out', {'valid': amount})
    assert names(tmp_path) == ['svhn']


def test_nothing_left_to_train_on(tmp_path):
    source = make_source(tmp_path / 'svhn', ('train',))
    with pytest.raises(InputError, match='6 for valid and 4 for test leave none of 10'):
        link_dataset(source, tmp_path / 'out', {'valid': '6', 'test': '4'})
    with pytest.raises(InputError, match='seed is -1'):
        link_dataset(source, tmp_path / 'out', {'valid': '6'}, seed=-1)


def test_everything_that_is_missing_is_named(tmp_path):
    source = make_source(tmp_path / 'hw2')
    (source / 'valid.json').unlink()
    (source / 'train.json').unlink()
    with pytest.raises(
        FolderError, match=r'lacks train\.json, valid\.json\.\n  found:    test/, train/'
    ):
        link_dataset(source, tmp_path / 'out')
    with pytest.raises(InputError, match='is no folder'):
        link_dataset(tmp_path / 'nowhere', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_source_with_only_train_is_told_the_option(tmp_path):
    source = make_source(tmp_path / 'svhn', ('train',))
    with pytest.raises(
        FolderError, match=r'lacks valid/, valid\.json(?s:.*)fix: add --valid 0\.1 to'
    ):
        link_dataset(source, tmp_path / 'out')


def test_a_split_of_the_sources_own_is_not_replaced(tmp_path):
    source = make_source(tmp_path / 'hw2')
    with pytest.raises(FolderError, match=r'has test of its own(?s:.*)leave out --test'):
        link_dataset(source, tmp_path / 'out', {'test': '2'})
    with pytest.raises(FolderError, match=r'has valid and valid\.json of its own'):
        link_dataset(source, tmp_path / 'out', {'valid': '2'})


def test_nothing_is_overwritten(tmp_path):
    source = make_source(tmp_path / 'hw2')
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'train.json').write_text('mine')
    with pytest.raises(
        FolderError, match=r'is in use; nothing was changed\.\n  found:    train\.json'
    ):
        link_dataset(source, out)
    assert (out / 'train.json').read_text() == 'mine'
    assert names(out) == ['train.json']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda c: c['images'][2].update(file_name='99.png'),
            r'1 of 10 .* not in train/(?s:.*) 99\.png',
        ),
        (
            lambda c: c['images'][2].update(file_name='1.png'),
            r'several images\.\n  found:    the first is 1\.png',
        ),
        (lambda c: c['images'][2].update(file_name='../train.json'), r'lead out of train/'),
        (lambda c: c['images'][2].update(id=1), r'id 1 for the second time'),
        (lambda c: c['images'][2].pop('id'), r'images\[2\]: no id'),
        (lambda c: c['annotations'][0].update(image_id=50), r'no such image_id \(50\)'),
        (
            lambda c: c.pop('categories'),
            r'lacks categories\.\n  found:    info, images, annotations',
        ),
    ],
)
def test_bad_annotation_files(tmp_path, change, message):
    source = make_source(tmp_path / 'svhn', ('train',))
    coco = make_coco(10)
    change(coco)
    (source / 'train.json').write_text(json.dumps(coco))
    with pytest.raises(InputError, match=message) as caught:
        link_dataset(source, tmp_path / 'out', {'valid': '2'})
    assert 'train.json' in str(caught.value)
    assert names(tmp_path) == ['svhn']


def test_truncated_json(tmp_path):
    source = make_source(tmp_path / 'svhn', ('train',))
    (source / 'train.json').write_text('{"images": [')
    with pytest.raises(InputError, match=r'train\.json: not valid JSON'):
        link_dataset(source, tmp_path / 'out', {'valid': '2'})


def test_refused_folder_links_are_told_and_leave_nothing(tmp_path, monkeypatch):
    source = make_source(tmp_path / 'hw2')
    refuse_symbolic_links(monkeypatch, after=1)
    with pytest.raises(FolderError, match=r'could not be made(?s:.*)Operation not permitted'):
        link_dataset(source, tmp_path / 'out')
    assert names(tmp_path) == ['hw2']
    assert len(names(source / 'train')) == 10


def test_hard_links_where_symbolic_ones_are_refused(tmp_path, monkeypatch):
    source = make_source(tmp_path / 'svhn', ('train',))
    refuse_symbolic_links(monkeypatch)
    link_dataset(source, tmp_path / 'out', {'valid': '2'})
    paths = list((tmp_path / 'out/valid').iterdir())
    assert len(paths) == 2
    assert all(p.samefile(source / 'train' / p.name) and not p.is_symlink() for p in paths)


def refuse_symbolic_links(monkeypatch, after=0):
    original, linked = Path.symlink_to, []

    def refuse(self, target, target_is_directory=False):
        if len(linked) == after:
            raise OSError(1, 'Operation not permitted')
        linked.append(self)
        original(self, target, target_is_directory)

    monkeypatch.setattr(Path, 'symlink_to', refuse)


@pytest.mark.skipif(not SHARED.is_dir(), reason='needs the SVHN images, which are not distributed')
def test_real_subset(tmp_path):
    splits, notes = link_dataset(
        SHARED / 'svhn-subset', tmp_path / 'out', {'valid': '0.1', 'test': '60'}
    )
    assert [s.images for s in splits] == [499, 62, 60]
    assert sum(s.boxes for s in splits) == 1347
    assert notes == []


def test_classes_that_are_no_digits_are_left_out_by_name(tmp_path):
    source = make_source(tmp_path / 'hw2', ('train', 'valid'))
    coco = make_coco(10)
    coco['categories'] = [*CATEGORIES, {'id': 11, 'name': 'plate'}]
    coco['annotations'].append(coco['annotations'][0] | {'id': 99, 'category_id': 11})
    (source / 'train.json').write_text(json.dumps(coco))
    with pytest.raises(InputError, match='--ignore-classes plate of'):
        link_dataset(source, tmp_path / 'out')
    for _ in range(2):
        splits, notes = link_dataset(source, tmp_path / 'out', ignore_classes=['plate'])
    assert json.loads((tmp_path / 'out' / 'train.json').read_text()) == make_coco(10)
    assert splits[0].boxes == 10
    assert notes == [f'{source}/train.json: categories left out, with their boxes: plate (1).']


def test_a_test_set_of_images_only(tmp_path):
    source = make_source(tmp_path / 'hw2')
    (source / 'test.json').write_text(json.dumps({'images': make_coco(10)['images']}))
    splits, notes = link_dataset(source, tmp_path / 'out')
    assert (splits[2].images, splits[2].boxes) == (10, None)
    assert notes == [f'{source}/test.json: no annotations, only images.']
