"""A planned training is as long as its time, and its schedule as long as it."""

import pytest

from mmdet_digits.checks.config_files import read_config


@pytest.mark.parametrize(
    ('seconds', 'start_up', 'pace', 'expected'),
    [(100, 0, 1, 85), (110, 10, 0.01, 8500), (10, 10, 0.01, 0), (5, 10, 0.01, 0)],
)
def test_images_for_which_there_is_time(seconds, start_up, pace, expected):
    from planned_training import images_in

    assert images_in(seconds, start_up, pace) == expected


@pytest.mark.parametrize(
    ('images', 'available', 'batch', 'expected'),
    [
        (1000, 100, 24, (10, 100)),
        (1099, 100, 24, (10, 100)),
        (100, 100, 24, (1, 100)),
        (99, 100, 24, (1, 96)),  # whole batches
        (23, 100, 24, (1, 24)),  # one at least
        (0, 100, 24, (1, 24)),
        (0, 10, 24, (1, 10)),
    ],
)
def test_epochs_of_so_many_images(images, available, batch, expected):
    from planned_training import epochs_of

    assert epochs_of(images, available, batch) == expected


@pytest.mark.parametrize(
    ('config', 'epochs', 'images', 'warm_up'),
    [
        ('frcnn_synthetic', 1, 24_000, 100),  # a tenth of the steps
        ('frcnn_synthetic', 5, 30_062, 500),  # as configured
        ('frcnn_best', 40, 1729, 292),
        ('frcnn_best', 2, 240, 3),
        ('frcnn_tiny', 1, 64, 3),
    ],
)
def test_the_schedule_is_as_long_as_the_training(config, epochs, images, warm_up, digits_root):
    from planned_training import plan_training

    recipe = read_config(f'configs/digits/{config}.py', digits_root)
    cfg = plan_training(recipe, epochs, images, mixed=True)
    linear, cosine = cfg.param_scheduler
    assert cosine.T_max == cfg.train_cfg.max_epochs == epochs
    assert linear.end == warm_up
    assert cfg.train_dataloader.dataset.indices == images
    assert cfg.default_hooks.checkpoint.interval == epochs
    assert cfg.train_cfg.val_begin > epochs


@pytest.mark.parametrize('config', ['frcnn_synthetic', 'frcnn_tiny'])
def test_precision(config, digits_root):
    from planned_training import plan_training

    recipe = read_config(f'configs/digits/{config}.py', digits_root)
    mixed, full = (plan_training(recipe, 1, 24, mixed).optim_wrapper for mixed in (True, False))
    assert mixed.pop('type') == 'PortableAmpOptimWrapper' and full.pop('type') == 'OptimWrapper'
    assert {mixed.pop(key) for key in ('dtype', 'loss_scale')} == {'native', 'dynamic'}
    assert mixed == full


def test_scenes_are_drawn_for_the_pipeline_of_the_recipe(digits_root):
    from mmdet.registry import DATASETS
    from planned_training import on_drawn_scenes

    recipe = read_config('configs/digits/frcnn_synthetic.py', digits_root)
    dataset = dict(on_drawn_scenes(recipe).train_dataloader.dataset, indices=5)
    built = DATASETS.build(dataset)
    assert len(built) == 5
    assert built[0]['inputs'].shape[-2:] == (160, 320)
    assert recipe.train_dataloader.dataset.type == 'DigitsDataset'  # as it was
