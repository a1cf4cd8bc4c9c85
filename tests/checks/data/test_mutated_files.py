"""Whatever is wrong with an annotation file: the checks never raise, and never say nothing."""

import copy
import json
import math
import shutil
from dataclasses import replace

import pytest
from check_samples import failures, make_coco, write_split
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmdet.registry import DATASETS

from mmdet_digits.checks.data import check_dataset, find_splits, repair_dataset
from mmdet_digits.errors import InputError

VALUES = [
    None, True, False, 0, -1, 1, 2, 11, 0.5, 1e-9, -0.0, 1e17, 1e308, 10**400, math.nan, math.inf,
    -math.inf, '', '1', '2.png', '../1.png', 'x\0.png', '\ud800', [], {}, [1, 2, 3], ['1', 2, 3, 4],
    [1, 2, 3, 4, 5], [[1, 2, 3, 4]], [1, 2, -3, 4], [1, 2, 0, 4], [100, 100, 5, 5], {'id': 1},
]  # fmt: skip
KEYS = ['id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd', 'ignore', 'name', 'images', 'x']


def paths(node, prefix=()):
    """The way to every value within a file, as keys and indices."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*prefix, key)
        if isinstance(value, dict | list):
            yield from paths(value, (*prefix, key))


PATHS = list(paths(make_coco(images=2)))


def mutate(coco, path, operation, value):
    """Change one place of a file; a place that an earlier change removed is left alone."""
    value = copy.deepcopy(value)
    try:
        parent = coco
        for key in path[:-1]:
            parent = parent[key]
        old = parent[path[-1]]
    except (LookupError, TypeError):
        return
    if not isinstance(parent, dict | list):
        return
    if operation == 'delete':
        del parent[path[-1]]
    elif operation == 'wrap':
        parent[path[-1]] = [old]
    elif operation == 'text':
        parent[path[-1]] = str(old)
    elif operation == 'repeat' and isinstance(parent, list):
        parent.append(copy.deepcopy(old))
    elif operation == 'add' and isinstance(old, dict):
        old[KEYS[len(path) * 7 % len(KEYS)]] = value
    else:
        parent[path[-1]] = value


OPERATIONS = ['replace', 'delete', 'wrap', 'text', 'repeat', 'add']
MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(PATHS),
        st.sampled_from(OPERATIONS),
        st.sampled_from(VALUES) | st.integers() | st.floats() | st.text(max_size=3),
    ),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope='module')
def split(tmp_path_factory):
    """Two images in a folder, and a place for an annotation file."""
    return write_split(tmp_path_factory.mktemp('mutated'), coco=make_coco(images=2))


def loads_whole(split, coco):
    """Whether ``DigitsDataset`` loads every image and every box of a file."""
    try:
        dataset = DATASETS.build(
            dict(
                type='DigitsDataset',
                data_root=str(split.ann_file.parent),
                ann_file=split.ann_file.name,
                data_prefix=dict(img=f'{split.image_dir.name}/'),
                pipeline=[dict(type='LoadCheckedImage'), dict(type='LoadAnnotations')],
                serialize_data=False,
            )
        )
        loaded = [dataset[index] for index in range(len(dataset))]
    except Exception:
        return False
    boxes = sum(len(image['gt_bboxes']) for image in loaded)
    return (len(loaded), boxes) == (len(coco['images']), len(coco['annotations']))


def check_never_silent(split, coco):
    split.ann_file.write_text(json.dumps(coco))
    found = failures(check_dataset({'train': split}))
    if not loads_whole(split, coco):
        assert found, coco


@settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(mutations=MUTATIONS)
def test_a_mutated_file_never_passes_in_silence(split, mutations):
    coco = make_coco(images=2)
    for mutation in mutations:
        mutate(coco, *mutation)
    check_never_silent(split, coco)


@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(mutations=MUTATIONS)
def test_a_repaired_copy_is_sound_or_refused(split, mutations):
    coco = make_coco(images=2)
    for mutation in mutations:
        mutate(coco, *mutation)
    out = split.image_dir.parent / 'out'
    shutil.rmtree(out, ignore_errors=True)
    try:
        repair_dataset({'train': replace(split, coco=coco)}, out)
    except InputError:
        assert not out.exists()
        return
    (repaired,) = find_splits(out).values()
    found = failures(check_dataset({'train': repaired}))
    assert set(found.values()) <= {'warn'}
    fixed = json.loads(repaired.ann_file.read_text())
    assert found or loads_whole(repaired, fixed)


@pytest.mark.slow
@pytest.mark.parametrize('operation', ['delete', 'wrap', 'text', 'repeat', *map(repr, VALUES)])
def test_every_value_in_every_place(split, operation):
    value = next((value for value in VALUES if repr(value) == operation), None)
    for path in PATHS:
        coco = make_coco(images=2)
        mutate(coco, path, operation, value)
        check_never_silent(split, coco)


def test_the_sound_file_is_loaded_whole(split):
    coco = make_coco(images=2)
    split.ann_file.write_text(json.dumps(coco))
    assert loads_whole(split, coco)
    assert failures(check_dataset({'train': split})) == {}
    coco['annotations'][0]['bbox'] = [100, 3, 8, 14]
    split.ann_file.write_text(json.dumps(coco))
    assert not loads_whole(split, coco)
