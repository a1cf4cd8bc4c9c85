import subprocess
import sys
from pathlib import Path

import pytest
from check_samples import (
    failures,
    make_coco,
    outcome,
    plant_ten_faults,
    write_all,
    write_split,
)

from mmdet_digits.checks.data import (
    BETWEEN,
    Split,
    check_dataset,
    check_splits,
    find_splits,
)
from mmdet_digits.errors import InputError

SHARED = Path(__file__).resolve().parents[4] / 'shared' / 'data'


@pytest.mark.parametrize('decode', [False, True])
def test_a_sound_data_set(tmp_path, decode):
    checks = check_dataset(write_all(tmp_path), decode)
    assert failures(checks) == {}
    names = [check.name for check in checks]
    assert len(names) == len(set(names))
    assert 'train: duplicate image ids' in names
    assert names[-1] == f'{BETWEEN}: length distribution'


def test_drawn_scenes_are_sound(digits_root):
    checks = check_dataset(find_splits(digits_root), decode=True)
    assert {check.name for check in checks if check.status == 'fail'} == set()


def test_a_parsed_file_is_not_read_again(tmp_path):
    split = write_split(tmp_path)
    split.ann_file.unlink()
    split = Split(split.ann_file, split.image_dir, make_coco())
    assert failures(check_dataset({'train': split})) == {}


def test_what_cannot_be_read_does_not_keep_the_rest_from_being_checked(tmp_path):
    splits = write_all(tmp_path)
    splits['train'].ann_file.write_text('{"images": [')
    (splits['test'].image_dir / '22.png').write_bytes(b'')
    assert failures(check_dataset(splits)) == {
        'train: annotation file': 'fail',
        'test: unreadable images': 'fail',
    }


def test_ten_planted_faults_are_all_named(tmp_path):
    splits, planted = plant_ten_faults(tmp_path)
    checks = check_dataset(splits, decode=True)
    failed = {check.name: check.found for check in checks if check.status == 'fail'}
    assert failed.keys() == planted.keys()
    for name, said in planted.items():
        assert said in failed[name]


def test_every_failure_says_what_is_expected_and_how_to_fix_it(tmp_path):
    splits, _ = plant_ten_faults(tmp_path)
    for check in check_dataset(splits, decode=True):
        if check.status != 'ok':
            assert check.found and check.expected and check.fix, check


def test_a_split_that_is_read_twice_is_found_without_decoding(tmp_path):
    train = write_split(tmp_path)
    checks = check_splits({'train': train, 'valid': train})[BETWEEN]
    shared = outcome(checks, 'same image in train and valid')
    assert (shared.status, shared.found) == ('fail', '3: 1.png, 2.png, 3.png')
    checks = check_splits({'valid': train, 'test': train})[BETWEEN]
    assert outcome(checks, 'same image in valid and test').status == 'warn'


def test_links_to_the_same_image_are_found_by_decoding(tmp_path):
    train, valid = write_split(tmp_path), write_split(tmp_path, 'valid', first=11)
    (valid.image_dir / '12.png').unlink()
    (valid.image_dir / '12.png').symlink_to(train.image_dir / '1.png')
    found = check_splits({'train': train, 'valid': valid}, decode=True)[BETWEEN]
    assert failures(found) == {'same image in train and valid': 'fail'}


def test_splits_are_found_by_their_files(tmp_path):
    with pytest.raises(InputError, match='nothing there'):
        find_splits(tmp_path / 'gone')
    with pytest.raises(InputError, match=r'train\.json beside train/'):
        find_splits(tmp_path)
    write_split(tmp_path, 'valid')
    assert find_splits(tmp_path) == {'valid': Split(tmp_path / 'valid.json', tmp_path / 'valid')}


def test_huge_numbers_pass_in_silence_of_numpy(tmp_path, recwarn):
    coco = make_coco()
    coco['annotations'][0]['bbox'] = [2.0**53, -(2.0**53), 2.0**53, 2.0**53]
    checks = check_dataset({'train': write_split(tmp_path, coco=coco)})
    assert 'train: boxes outside the image' in failures(checks)
    assert [str(warning.message) for warning in recwarn if 'numpy' in warning.filename] == []


def test_checking_needs_no_torch():
    code = (
        'import sys, mmdet_digits.checks.data; '
        'print(sorted({"torch", "mmdet", "mmcv", "mmengine", "pandas"} & set(sys.modules)))'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.stdout.strip() == '[]', result.stderr


@pytest.mark.skipif(not SHARED.is_dir(), reason='the real images are not on this machine')
def test_real_images_have_no_fault_that_stops_training():
    folder = SHARED / 'svhn-subset'
    checks = check_dataset({'train': Split(folder / 'train.json', folder / 'train')}, decode=True)
    assert failures(checks) == {'train: boxes partly outside the image': 'warn'}
    assert outcome(checks, 'train: structure').found.startswith('621 images, 1,347 annotations')


@pytest.mark.skipif(not SHARED.is_dir(), reason='the real boxes are not on this machine')
def test_real_boxes_as_counted_by_hand(tmp_path):
    checks = check_dataset({'train': Split(SHARED / 'svhn-boxes' / 'train.json.gz', tmp_path)})
    counts = {c.name: c.found.partition(':')[0] for c in checks if c.status == 'warn'}
    assert counts.pop('train: annotation file')
    assert counts.pop('train: files without entry', None) is None
    assert counts == {
        'train: boxes partly outside the image': '186',
        'train: boxes of an odd shape': '12',
        'train: boxes far taller than their neighbours': '1',
        'train: one place, two boxes': '1',
    }
