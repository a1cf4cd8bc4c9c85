import json
import os
from dataclasses import replace

import cv2
import pytest
from check_samples import (
    draw,
    failures,
    make_box,
    make_coco,
    make_image,
    outcome,
    plant_ten_faults,
    write_image,
    write_split,
)
from PIL import Image

from mmdet_digits.checks.data import Split, check_dataset, find_splits, repair_dataset
from mmdet_digits.checks.data.corrections import cut_box, repair_annotation, repair_values
from mmdet_digits.checks.data.splits import inspect_split, known_images
from mmdet_digits.coco.files import CATEGORIES
from mmdet_digits.coco.values import as_number
from mmdet_digits.errors import InputError

SIZES, NEW_IDS = {1: (40, 20)}, {4: 4}


def repair(tmp_path, coco, **files):
    """Repair one split; returns the repaired file and the changes in words."""
    split = write_split(tmp_path, coco=coco)
    for name, content in files.items():
        (split.image_dir / name.replace('_', '.')).write_bytes(content)
    changes = repair_dataset({'train': split}, tmp_path / 'out', skip_bad=True)
    fixed = json.loads((tmp_path / 'out' / 'train.json').read_text())
    assert check_statuses(tmp_path / 'out') <= {'ok', 'warn'}
    return fixed, [change.what for change in changes]


def check_statuses(root):
    return {str(check.status) for check in check_dataset(find_splits(root), decode=True)}


def test_ten_planted_faults_are_gone_and_every_change_is_listed(tmp_path):
    splits, _ = plant_ten_faults(tmp_path / 'in')
    before = {path: path.read_bytes() for path in (tmp_path / 'in').rglob('*') if path.is_file()}
    changes = repair_dataset(splits, tmp_path / 'out', skip_bad=True)
    assert check_statuses(tmp_path / 'out') <= {'ok', 'warn'}
    assert {path: path.read_bytes() for path in before} == before
    listed = json.loads((tmp_path / 'out' / 'changes.json').read_text())
    assert [entry['what'] for entry in listed] == [change.what for change in changes]
    assert {(c['image_id'], c['annotation_id']): c['what'] for c in listed} == {
        (1, 2): 'box removed: it is under 1 px wide or high',
        (2, 4): 'box removed: it lies outside its image',
        (4, 8): 'box changed: id replaced',
        (777, 900): 'box removed: its image is not there',
        (6, 901): 'box removed: it stands twice',
        (8, None): 'image: size corrected',
        (50, None): 'image removed: its file name leads out of the folder',
        (9, None): 'image removed: 300 bytes, cut off or damaged (it was cut off)',
        (9, 18): 'box removed: its image is not there',
        (9, 19): 'box removed: its image is not there',
        (10, None): 'image removed: its file is not there',
        (10, 20): 'box removed: its image is not there',
        (10, 21): 'box removed: its image is not there',
        (3, None): 'image removed: valid holds it too',
    }
    size = next(c for c in listed if c['what'] == 'image: size corrected')
    assert (size['before']['width'], size['after']['width']) == (400, 40)


def test_images_are_links_and_a_second_repair_changes_nothing(tmp_path):
    splits, _ = plant_ten_faults(tmp_path / 'in')
    repair_dataset(splits, tmp_path / 'out', skip_bad=True)
    link = tmp_path / 'out' / 'train' / '1.png'
    assert link.is_symlink() and link.samefile(tmp_path / 'in' / 'train' / '1.png')
    assert repair_dataset(find_splits(tmp_path / 'out'), tmp_path / 'again') == []
    for name in ('train.json', 'valid.json', 'test.json'):
        assert (tmp_path / 'again' / name).read_text() == (tmp_path / 'out' / name).read_text()


def test_nothing_is_overwritten(tmp_path):
    split = write_split(tmp_path)
    (tmp_path / 'out').mkdir()
    with pytest.raises(InputError, match='already there; nothing was written'):
        repair_dataset({'train': split}, tmp_path / 'out', skip_bad=True)
    assert list((tmp_path / 'out').iterdir()) == []


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda coco: coco.pop('images'), r'cannot be repaired \(structure\)'),
        (lambda coco: coco['categories'][7].update(name='seven'), 'categories that are none'),
        (lambda coco: coco['categories'][3].update(id=1), r'duplicate category ids'),
        (lambda coco: coco['images'].clear(), 'at least one image'),
        (
            lambda coco: [image.update(file_name='../1.png') for image in coco['images']],
            'would leave no image',
        ),
    ],
)
def test_what_nobody_could_repair_is_refused(tmp_path, change, message):
    split, coco = write_split(tmp_path), make_coco()
    change(coco)
    with pytest.raises(InputError, match=message):
        repair_dataset(
            {'train': Split(split.ann_file, split.image_dir, coco)}, tmp_path / 'out', skip_bad=True
        )
    assert not (tmp_path / 'out').exists()


def test_broken_json_and_a_missing_folder_are_refused(tmp_path):
    split = write_split(tmp_path)
    with pytest.raises(InputError, match='image folder'):
        repair_dataset({'train': Split(split.ann_file, tmp_path / 'gone')}, tmp_path / 'out')
    split.ann_file.write_text('{')
    with pytest.raises(InputError, match='line 1, column 2'):
        repair_dataset({'train': split}, tmp_path / 'out', skip_bad=True)


@pytest.mark.parametrize(
    ('bbox', 'expected'),
    [
        ([4, 3, 8, 14], [4, 3, 8, 14]),
        ([-1, -2.5, 8, 14], [0, 0, 7, 11.5]),
        ([36, 10, 8, 14], [36, 10, 4, 10]),
        ([-5, -5, 100, 100], [0, 0, 40, 20]),
        ([40, 3, 8, 14], [40, 3, 0, 14]),
    ],
)
def test_cut_box(bbox, expected):
    assert cut_box(bbox, 40, 20) == expected


@pytest.mark.parametrize(
    ('values', 'expected', 'done'),
    [
        ({}, {}, []),
        ({'bbox': [36, 3, 8, 14]}, {'bbox': [36, 3, 4, 14], 'area': 56}, 'cut at the edge'),
        ({'area': 'big'}, {'area': 112}, 'area corrected'),
        ({'area': -1}, {'area': 112}, 'area corrected'),
        ({'area': 112.4}, {'area': 112.4}, []),
        ({'iscrowd': None}, {'iscrowd': 0}, 'iscrowd set to 0'),
        ({'image_id': 2}, None, 'its image is not there'),
        ({'category_id': 5}, None, 'its category is not there'),
        ({'bbox': [1, 2, 3]}, None, 'bbox is not four numbers'),
        ({'bbox': [1, 2, float('nan'), 4]}, None, 'bbox is not four numbers'),
        ({'bbox': [4, 3, 0.5, 14]}, None, 'under 1 px'),
        ({'bbox': [39.5, 3, 8, 14]}, None, 'outside its image'),
    ],
)
def test_repair_of_one_annotation(values, expected, done):
    annotation = make_box(5, 1, [4, 3, 8, 14]) | values
    repaired, said = repair_annotation(annotation, SIZES, NEW_IDS)
    assert repaired == (None if expected is None else annotation | expected)
    assert said == done or done in said[0]


@pytest.mark.parametrize(
    ('value', 'expected'),
    [('3', 3), ('3.5', 3.5), (3.0, 3), (7, 7), ('three', 'three'), ('nan', 'nan'), (None, None)],
)
def test_as_number(value, expected):
    assert as_number(value) == expected
    assert type(as_number(value)) is type(expected)


def test_text_is_read_as_numbers_and_entries_without_ids_go():
    coco = make_coco()
    coco['images'][0]['id'] = '1'
    coco['annotations'][0] |= {'image_id': '1', 'bbox': ['4', '3', 8, '14.5']}
    coco['annotations'].append('text')
    repaired, changes = repair_values(coco, 'train')
    assert repaired['images'][0]['id'] == 1
    assert repaired['annotations'][0]['bbox'] == [4, 3, 8, 14.5]
    assert [change.what.partition(':')[0] for change in changes] == [
        'images',
        'annotations',
        'entry of annotations removed',
    ]
    assert len(repaired['annotations']) == 6


def test_categories_are_put_in_order_with_their_boxes(tmp_path):
    coco = make_coco()
    coco['categories'] = [{'id': 20 - d, 'name': str(d or 10)} for d in range(10)]
    for box in coco['annotations']:
        box['category_id'] = 20 - (box['category_id'] - 1)
    fixed, changes = repair(tmp_path, coco)
    assert fixed['categories'] == CATEGORIES
    assert [box['category_id'] for box in fixed['annotations']] == [8, 1] * 3
    assert changes == ['categories put in order']


def test_two_entries_of_one_file_become_one(tmp_path):
    coco = make_coco()
    coco['images'].append(make_image(9, file_name='2.png'))
    coco['annotations'].append(make_box(99, 9, [30, 3, 8, 14]))
    fixed, changes = repair(tmp_path, coco)
    assert [image['id'] for image in fixed['images']] == [1, 2, 3]
    assert fixed['annotations'][-1]['image_id'] == 2
    assert changes == [
        'image removed: image 2 has the same file; its boxes were moved there',
        'box changed: moved to the entry of the same file',
    ]


def test_boxes_of_two_files_under_one_id_go_with_both(tmp_path):
    coco = make_coco()
    coco['images'].append(make_image(2, file_name='other.png'))
    fixed, changes = repair(tmp_path, coco)
    assert [image['id'] for image in fixed['images']] == [1, 3]
    assert {box['image_id'] for box in fixed['annotations']} == {1, 3}
    assert changes[0] == 'image removed: several files have its id: whose are the boxes?'


def test_boxes_follow_images_that_were_resized(tmp_path):
    coco = make_coco()
    split = write_split(tmp_path, coco=coco)
    write_image(split.image_dir / '2.png', size=(20, 10))
    write_image(split.image_dir / '3.png', size=(60, 30))
    changes = repair_dataset({'train': split}, tmp_path / 'out', skip_bad=True)
    assert [change.what for change in changes[:2]] == ['image: size corrected'] * 2
    assert {change.what for change in changes[2:]} == {
        'box changed: scaled with its image, area corrected'
    }
    fixed = json.loads((tmp_path / 'out' / 'train.json').read_text())
    assert [box['bbox'] for box in fixed['annotations'][2:]] == [
        [2, 1.5, 4, 7],
        [9, 1.5, 4, 7],
        [6, 4.5, 12, 21],
        [27, 4.5, 12, 21],
    ]


def test_a_name_in_another_case_is_corrected(tmp_path):
    split, coco = write_split(tmp_path), make_coco()
    coco['images'][1]['file_name'] = '2.PNG'
    repair_dataset(
        {'train': Split(split.ann_file, split.image_dir, coco)}, tmp_path / 'out', skip_bad=True
    )
    assert check_statuses(tmp_path / 'out') == {'ok'}


@pytest.mark.parametrize(
    ('stated', 'expected'),
    [((40, 20), (40, 20)), ((20, 40), (20, 40)), ((99, 99), (20, 40))],
    ids=['as stored', 'as shown', 'neither'],
)
def test_a_turned_image_is_written_so_that_its_boxes_fit(tmp_path, stated, expected):
    tags = Image.Exif()
    tags[274] = 6
    coco = make_coco()
    for box, left in zip(coco['annotations'][2:4], (1, 10), strict=True):
        box |= {'bbox': [left, 1, 6, 10], 'area': 60}
    split = write_split(tmp_path, coco=coco)
    Image.fromarray(draw(seed=9)).save(split.image_dir / '2.png', exif=tags)
    coco['images'][1] |= {'width': stated[0], 'height': stated[1]}
    repair_dataset(
        {'train': Split(split.ann_file, split.image_dir, coco)}, tmp_path / 'out', skip_bad=True
    )
    with Image.open(tmp_path / 'out' / 'train' / '2.png') as image:
        assert (image.size, image.getexif().get(274)) == (expected, None)
    assert failures(check_dataset(find_splits(tmp_path / 'out'), decode=True)) == {}


def test_an_image_upside_down_is_written_as_training_sees_it(tmp_path):
    tags = Image.Exif()
    tags[274] = 3
    split = write_split(tmp_path)
    Image.fromarray(draw(seed=9)).save(split.image_dir / '2.png', exif=tags)
    repair_dataset({'train': split}, tmp_path / 'out', skip_bad=True)
    seen, written = (cv2.imread(str(p / 'train' / '2.png')) for p in (tmp_path, tmp_path / 'out'))
    assert (written == seen).all()
    assert (written[::-1, ::-1] == draw(seed=9)[..., ::-1]).all()


def test_16_bits_become_8_under_a_name_that_is_free(tmp_path):
    coco = make_coco()
    coco['images'][1]['file_name'] = '1.tif'
    split = write_split(tmp_path, coco=coco)
    cv2.imwrite(str(split.image_dir / '1.tif'), draw(seed=9, dtype='uint16'))
    changes = repair_dataset({'train': split}, tmp_path / 'out', skip_bad=True)
    assert [change.what for change in changes] == ['image: written anew as 8-bit RGB PNG']
    assert changes[0].after['file_name'] == '1_.png'
    assert not (tmp_path / 'out' / 'train' / '1_.png').is_symlink()
    assert failures(check_dataset(find_splits(tmp_path / 'out'), decode=True)) == {}


def test_what_is_left_can_be_loaded(tmp_path):
    from mmdet.registry import DATASETS

    splits, _ = plant_ten_faults(tmp_path / 'in')
    repair_dataset(splits, tmp_path / 'out', skip_bad=True)
    dataset = DATASETS.build(
        dict(
            type='DigitsDataset',
            data_root=str(tmp_path / 'out'),
            ann_file='train.json',
            data_prefix=dict(img='train/'),
            pipeline=[dict(type='LoadCheckedImage')],
        )
    )
    kept = json.loads((tmp_path / 'out' / 'train.json').read_text())
    assert len([dataset[index] for index in range(len(dataset))]) == len(kept['images'])
    assert sum(len(dataset.get_data_info(i)['instances']) for i in range(len(dataset))) == len(
        kept['annotations']
    )


def resize_files(split, width, height):
    for path in split.image_dir.iterdir():
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (width, height)))


def written(out):
    return [box['bbox'] for box in json.loads((out / 'train.json').read_text())['annotations']]


@pytest.mark.parametrize('factor', [3, 0.5])
def test_files_resized_with_the_old_json(tmp_path, factor):
    coco = make_coco(images=20)
    coco['annotations'][-1]['bbox'] = [30, 3, 8, 14]
    split = write_split(tmp_path, coco=coco)
    resize_files(split, round(40 * factor), round(20 * factor))
    repair_dataset({'train': split}, tmp_path / 'out')
    expected = [[side * factor for side in box['bbox']] for box in coco['annotations']]
    assert written(tmp_path / 'out') == expected
    assert check_statuses(tmp_path / 'out') <= {'ok', 'warn'}


def test_a_size_that_is_wrong_where_the_boxes_fit_the_file(tmp_path):
    coco = make_coco(images=20)
    for image in coco['images']:
        image |= {'width': 20, 'height': 10}
    repair_dataset({'train': write_split(tmp_path, coco=coco)}, tmp_path / 'out')
    assert written(tmp_path / 'out') == [box['bbox'] for box in coco['annotations']]


@pytest.mark.parametrize('size', [(100, 100), (40, 60)])
def test_files_of_another_shape_are_refused(tmp_path, size):
    split = write_split(tmp_path, coco=make_coco(images=20))
    resize_files(split, *size)
    with pytest.raises(InputError, match=r'leave no image(?s:.*)another size.*20 times'):
        repair_dataset({'train': split}, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('form', 'said'),
    [
        (lambda x, y, w, h: [x / 40, y / 20, w / 40, h / 20], 'x, y, width, height in fractions'),
        (lambda x, y, w, h: [x, y, x + w, y + h], 'x1, y1, x2, y2 in pixels'),
        (
            lambda x, y, w, h: [x / 40, y / 20, (x + w) / 40, (y + h) / 20],
            'x1, y1, x2, y2 in fractions',
        ),
        (
            lambda x, y, w, h: [(x + w / 2) / 40, (y + h / 2) / 20, w / 40, h / 20],
            'centre x, centre y, width, height in fractions',
        ),
    ],
)
@pytest.mark.parametrize('areas', [True, False], ids=['areas', 'no areas'])
def test_boxes_of_another_form(tmp_path, form, said, areas):
    coco, expected = make_coco(images=10), []
    for number, box in enumerate(coco['annotations']):
        box['bbox'][0] = 1 + 5 * (number % 6)
        expected.append(list(box['bbox']))
        box['bbox'] = form(*box['bbox'])
        if not areas:
            del box['area']
    split = write_split(tmp_path, coco=coco)
    found = check_dataset({'train': split}, decode=True)
    named = outcome(found, 'train: form of the boxes')
    assert (named.status, said in named.found) == ('fail', True)
    assert 'train: boxes under 1 px' not in failures(found)
    changes = repair_dataset({'train': split}, tmp_path / 'out')
    assert written(tmp_path / 'out') == expected
    assert f'box converted: it was {said}' in changes[-1].what
    assert check_statuses(tmp_path / 'out') <= {'ok', 'warn'}


def test_fractions_that_could_be_several_things_are_refused(tmp_path):
    coco = make_coco(images=10)
    for box in coco['annotations']:
        box['bbox'] = [0.3, 0.3, 0.35, 0.4]
    with pytest.raises(InputError, match=r'form of the boxes(?s:.*)only you can tell'):
        repair_dataset({'train': write_split(tmp_path, coco=coco)}, tmp_path / 'out', skip_bad=True)
    assert not (tmp_path / 'out').exists()


def test_a_loss_of_over_one_percent_is_to_be_asked_for(tmp_path):
    coco = make_coco(images=100)
    coco['annotations'][0]['bbox'] = coco['annotations'][5]['bbox'] = [4, 3, 0, 14]
    split = write_split(tmp_path, coco=coco)
    repair_dataset({'train': split}, tmp_path / 'one percent')
    coco['annotations'][7]['bbox'] = [4, 3, 0, 14]
    split.ann_file.write_text(json.dumps(coco))
    with pytest.raises(InputError) as error:
        repair_dataset({'train': split}, tmp_path / 'out')
    assert 'would leave out 3 of 200 boxes; nothing was written' in error.value.what
    assert 'it is under 1 px wide or high (3 times)' in error.value.found
    assert not (tmp_path / 'out').exists()
    repair_dataset({'train': split}, tmp_path / 'out', skip_bad=True)
    assert len(written(tmp_path / 'out')) == 197


def test_what_stands_twice_is_no_loss(tmp_path):
    coco = make_coco(images=10)
    coco['annotations'] += [box | {'id': box['id'] + 100} for box in coco['annotations']]
    repair_dataset({'train': write_split(tmp_path, coco=coco)}, tmp_path / 'out')
    assert len(written(tmp_path / 'out')) == 20


def test_ignore_is_what_evaluation_takes_it_for(tmp_path):
    from mmdet_digits.evaluation.annotations import read_annotations

    coco = make_coco(images=10)
    coco['annotations'][3]['ignore'] = 'yes'
    split = write_split(tmp_path, coco=coco)
    assert failures(check_dataset({'train': split})) == {
        'train: values': 'warn',
        'train: boxes marked iscrowd or ignore': 'warn',
    }
    repair_dataset({'train': split}, tmp_path / 'out')
    for path in (split.ann_file, tmp_path / 'out' / 'train.json'):
        assert len(read_annotations(path).truth) == 19
    coco['annotations'][3]['ignore'] = 'perhaps'
    split.ann_file.write_text(json.dumps(coco))
    assert 'train: fields of annotations' in failures(check_dataset({'train': split}))
    with pytest.raises(InputError, match='neither 0 nor 1'):
        read_annotations(split.ann_file)


def test_classes_that_are_no_digits_go_by_name(tmp_path):
    coco = make_coco(images=10)
    coco['categories'].insert(0, {'id': 77, 'name': 'plate'})
    coco['annotations'] += [make_box(100 + n, n, [1, 1, 30, 15], 76) for n in range(1, 11)]
    split = write_split(tmp_path, coco=coco)
    with pytest.raises(InputError, match='--ignore-classes plate'):
        repair_dataset({'train': split}, tmp_path / 'out')
    changes = repair_dataset({'train': replace(split, ignore_classes=('plate',))}, tmp_path / 'out')
    fixed = json.loads((tmp_path / 'out' / 'train.json').read_text())
    assert (fixed['categories'], len(fixed['annotations'])) == (CATEGORIES, 20)
    assert sum(c.what == 'box left out: its class is ignored' for c in changes) == 10
    assert check_statuses(tmp_path / 'out') == {'ok'}


def test_images_only(tmp_path):
    coco = {'images': make_coco()['images']}
    split = replace(write_split(tmp_path, 'test', coco), images_only=True)
    assert failures(check_dataset({'test': split})) == {
        'test: structure': 'warn',
        'test: images without annotations': 'warn',
    }
    repair_dataset({'test': split}, tmp_path / 'out')
    fixed = json.loads((tmp_path / 'out' / 'test.json').read_text())
    assert fixed == coco | {'categories': CATEGORIES}


def test_what_a_killed_repair_left_is_removed(tmp_path):
    split = write_split(tmp_path)
    stale, running = (tmp_path / f'.{n}.out.part' for n in (2**22 + 1, os.getppid()))
    stale.mkdir()
    running.mkdir()
    repair_dataset({'train': split}, tmp_path / 'out')
    assert (stale.exists(), running.exists()) == (False, True)


def test_images_are_not_read_again_that_are_known(tmp_path):
    split = write_split(tmp_path)
    known = known_images([inspect_split(split, decode=True)])
    for path in split.image_dir.iterdir():
        path.write_bytes(b'')
    repair_dataset({'train': split}, tmp_path / 'out', known=known)
    assert len(written(tmp_path / 'out')) == 6


@pytest.mark.parametrize('prefix', ['images/1/', 'http://x.org/', '/data/local-files/?d=a/', '../'])
def test_names_that_differ_in_folder_or_suffix_are_corrected(tmp_path, prefix):
    split = write_split(tmp_path, coco=make_coco(images=10))
    coco = json.loads(split.ann_file.read_text())
    for image in coco['images']:
        image['file_name'] = prefix + image['file_name'].replace('.png', '.jpg')
    split.ann_file.write_text(json.dumps(coco))
    repair_dataset({'train': split}, tmp_path / 'out')
    assert json.loads((tmp_path / 'out' / 'train.json').read_text()) == make_coco(images=10)


@pytest.mark.parametrize('areas', [True, False], ids=['areas', 'no areas'])
def test_boxes_that_leave_images_of_a_wrong_size_are_no_corners(tmp_path, areas):
    coco = make_coco(images=20)
    for box in coco['annotations']:
        box |= {'bbox': [3, 2, 36, 17], 'area': 36 * 17}
    split = write_split(tmp_path, coco=coco)
    for image in coco['images']:
        image |= {'width': 36, 'height': 17}
    if not areas:
        for box in coco['annotations']:
            del box['area']
            box['bbox'][2] = 2  # x2 < x1
    split.ann_file.write_text(json.dumps(coco))
    found = check_dataset({'train': split}, decode=True)
    assert outcome(found, 'train: form of the boxes').status == 'ok'
