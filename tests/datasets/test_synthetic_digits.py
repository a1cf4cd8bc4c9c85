import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.dataset import ConcatDataset

from mmdet_digits.checks.config_files import read_config
from mmdet_digits.datasets.digits_dataset import DigitsDataset
from mmdet_digits.errors import InputError
from mmdet_digits.synthetic import SceneSource
from mmdet_digits.synthetic.writer import DatasetSpec, draw_image

STEPS = [
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='CanvasResize', scale=(96, 48)),
    dict(type='PackDetInputs'),
]

WITHOUT_CHANCE = ['LoadAnnotations', 'CanvasResize', 'PackDetInputs']


def build(length=4, pipeline=STEPS, **options):
    return DATASETS.build(dict(type='SyntheticDigits', length=length, pipeline=pipeline, **options))


def same(a, b):
    boxes = [sample['data_samples'].gt_instances for sample in (a, b)]
    return (
        a['inputs'].shape == b['inputs'].shape
        and torch.equal(a['inputs'], b['inputs'])
        and torch.equal(boxes[0].bboxes.tensor, boxes[1].bboxes.tensor)
        and torch.equal(boxes[0].labels, boxes[1].labels)
    )


@pytest.mark.parametrize('split', ['train', 'valid'])
def test_fixed_scenes_are_those_on_disk(digits_root, split):
    """The same tensors and boxes as from the files that were drawn with this seed and look."""
    drawn = build(16, seed=7, look='clear', fixed=True, split=split)
    files = DigitsDataset(
        data_root=str(digits_root),
        ann_file=f'{split}.json',
        data_prefix=dict(img=f'{split}/'),
        pipeline=[dict(type='LoadCheckedImage'), *STEPS],
    )
    assert drawn.metainfo == files.metainfo
    for index in (0, 3, 15):
        a, b = drawn[index], files[index]
        assert same(a, b)
        for key in ('img_id', 'ori_shape', 'img_shape', 'scale_factor'):
            assert getattr(a['data_samples'], key) == getattr(b['data_samples'], key)
        assert b['data_samples'].img_path.endswith(a['data_samples'].img_path)


def test_endless_scenes_are_new_each_time():
    dataset = build()
    assert len(dataset) == 4
    assert not same(dataset[0], dataset[0])


@pytest.mark.parametrize('options', [dict(fixed=True), dict(test_mode=True)])
def test_fixed_scenes_stay_the_same(options):
    assert same(build(**options)[1], build(**options)[1])
    assert not same(build(**options)[1], build(seed=1, **options)[1])


def test_the_state_of_numpy_decides_on_an_endless_scene():
    """As the augmentation: whoever seeds NumPy for an image, and an epoch, seeds its scene."""
    dataset = build()
    samples = []
    for state in (5, 5, 6):
        np.random.seed(state)
        samples.append(dataset[2])
    assert same(*samples[:2]) and not same(*samples[1:])


def test_two_of_different_seeds_show_different_scenes():
    both = ConcatDataset([build(2, seed=0), build(2, seed=1)])
    samples = []
    for index in (0, 2):
        np.random.seed(5)
        samples.append(both[index])
    assert not same(*samples)


def test_the_usual_first_step_for_loaded_images_may_stand_there():
    loaded = build(fixed=True, pipeline=[dict(type='LoadImageFromNDArray'), *STEPS])
    assert same(loaded[0], build(fixed=True)[0])


def test_a_part_of_it_draws_the_same_scenes():
    whole = build(fixed=True)
    part = whole.get_subset([2, 3])
    assert len(part) == 2 and len(build(indices=3)) == 3
    assert same(part[0], whole[2])


def test_sources_are_obeyed():
    plain, sharp = build(fixed=True), build(fixed=True, source=dict(without=['blur', 'jpeg']))
    assert not same(plain[0], sharp[0])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(length=0), 'found:    length=0'),
        (dict(length=2.5), 'found:    length=2.5'),
        (dict(split='trian'), "found:    'trian'"),
        (dict(seed=-1), 'a whole number, 0 or more'),
        (dict(look='foggy'), 'street or clear'),
        (dict(source=dict(fonst='x')), 'found:    fonst'),
        (dict(source=dict(glyphs='absent.npz')), r'absent\.npz: no such file'),
    ],
)
def test_what_cannot_be_drawn_is_told_at_once(options, message):
    with pytest.raises(InputError, match=message):
        build(**options)


@pytest.fixture
def best():
    """The recipe for photographs: real images, and drawn ones with SVHN's box style."""
    return read_config('configs/digits/frcnn_tiny_best.py')


def test_the_recipe_for_photographs_mixes_real_and_drawn_images(best, digits_root):
    """Drawn ones come after the real ones, in one form with them: through the same steps."""
    real, drawn = best.train_dataloader.dataset.datasets
    assert real.dataset.pipeline[1:] == drawn.pipeline
    real.dataset.update(data_root=str(digits_root))
    drawn.update(length=4)
    both = DATASETS.build(best.train_dataloader.dataset)
    assert isinstance(both, ConcatDataset) and len(both.datasets[1]) == 4
    samples = [both[0], both[len(both) - 1]]
    for sample in samples:
        found = sample['data_samples'].gt_instances
        assert sample['inputs'].dtype == torch.uint8 and sample['inputs'].shape[0] == 3
        assert max(sample['inputs'].shape[1:]) <= 256
        assert len(found.bboxes) == len(found.labels) and found.labels.dtype == torch.int64
    assert samples[0].keys() == samples[1].keys()
    assert set(samples[0]['data_samples'].keys()) == set(samples[1]['data_samples'].keys())


def test_drawn_images_of_the_recipe_are_bgr_with_its_boxes_and_labels(best):
    """What `draw_scene` gives with SVHN's box style, up to the steps that change it at random."""
    options = best.train_dataloader.dataset.datasets[1].to_dict() | dict(length=3)
    steps = [step for step in options['pipeline'] if step['type'] in WITHOUT_CHANCE]
    assert [step['type'] for step in steps] == WITHOUT_CHANCE
    dataset = DATASETS.build(options | dict(pipeline=steps, fixed=True))
    source = SceneSource.from_options(options['source'])
    assert source.box_style
    for index in range(3):
        spec = DatasetSpec(3, 0, 0, source=source)
        scene = draw_image(spec, 'train', index + 1)
        tight = draw_image(DatasetSpec(3, 0, 0), 'train', index + 1)
        sample = dataset[index]
        height, width = sample['data_samples'].img_shape
        expected = cv2.resize(scene.image, (width, height), interpolation=cv2.INTER_LINEAR)
        picture = sample['inputs'].permute(1, 2, 0).numpy()[:height, :width]
        assert np.array_equal(picture, expected)  # BGR
        found = sample['data_samples'].gt_instances
        assert ''.join(map(str, found.labels.tolist())) == scene.digits
        x, y, w, h = (
            scene.bboxes * np.tile((width / scene.image.shape[1], height / scene.image.shape[0]), 2)
        ).T
        corners = np.stack([x, y, x + w, y + h], axis=1)
        assert found.bboxes.tensor.numpy() == pytest.approx(corners, abs=1e-3)
        assert (scene.bboxes[:, 3] > tight.bboxes[:, 3]).all()  # looser
