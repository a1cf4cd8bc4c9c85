"""The start of a training is timed from its command on, in parts that add up."""

import json

import pytest
from mmdet.registry import DATASETS


def test_few_images_have_many_names(tmp_path):
    from startup import DRAWN, write_many_names

    root = write_many_names(tmp_path / 'digits', 2 * DRAWN + 3)
    dataset = DATASETS.build(
        dict(
            type='DigitsDataset',
            data_root=str(root),
            ann_file='train.json',
            data_prefix=dict(img='train/'),
            pipeline=[dict(type='LoadCheckedImage')],
        )
    )
    assert len(dataset) == 2 * DRAWN + 3
    for index in range(len(dataset)):  # the size of each is as stated, or this would raise
        found, drawn = dataset[index], dataset[index % DRAWN]
        assert (found['img'] == drawn['img']).all()
        assert found['instances'] == drawn['instances']
    content = json.loads((root / 'train.json').read_text())
    ids = [box['id'] for box in content['annotations']]
    assert len(set(ids)) == len(ids)


def test_parts_add_up():
    from startup import CLOCK, PROCESSOR, table_of

    starts = [dict(imports=[3.0, 2.0], config=[1.0, 0.5])] * 2
    assert table_of(starts, CLOCK)[-1] == ['together', '4 (4-4)']
    assert table_of(starts, PROCESSOR)[0] == ['imports', '2 (2-2)']


def test_a_training_that_does_not_start_is_an_error(tmp_path):
    from startup import time_start

    from mmdet_digits.checks.config_files import find_config
    from mmdet_digits.errors import RunError

    with pytest.raises(RunError, match='The data set is not there'):
        time_start(find_config('configs/digits/frcnn_tiny.py'), tmp_path / 'none', [])


@pytest.mark.slow
def test_the_first_iteration_ends_the_run(digits_root):
    from startup import CLOCK, time_start

    from mmdet_digits.checks.config_files import find_config

    parts = time_start(find_config('configs/digits/frcnn_tiny.py'), digits_root, [])
    assert next(iter(parts)) == "the tool's imports" and list(parts)[-1] == 'first iteration'
    assert all(seconds[CLOCK] > 0 for seconds in parts.values())
