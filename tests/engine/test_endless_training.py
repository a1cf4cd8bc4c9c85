"""A training on scenes that are drawn as it goes repeats itself, whatever its workers and stops."""

import pytest
from recorded_runs import digest, equal, train
from test_reproducible_training import Interrupt
from tiny_runs import tiny_cfg

EPOCHS = 2  # of two iterations


@pytest.fixture(scope='module')
def make_cfg(digits_root, tmp_path_factory):
    """A run on endless scenes in a folder of its own, augmented too, without validation."""

    def make(seed=5, **loader):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv('DIGITS_DATA_ROOT', str(digits_root))
            cfg = tiny_cfg(tmp_path_factory.mktemp('endless'), augmented=True)
        pipeline = cfg.train_dataloader.dataset.pipeline[1:]
        scenes = dict(type='SyntheticDigits', length=8, look='clear', pipeline=pipeline)
        cfg.train_dataloader.dataset = scenes
        cfg.train_dataloader.update(**loader)
        cfg.train_cfg.max_epochs = EPOCHS
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.default_hooks.checkpoint.save_best = None
        cfg.randomness = dict(seed=seed)
        return cfg

    return make


@pytest.fixture(scope='module')
def straight(make_cfg):
    return train(make_cfg())


def pictures(steps):
    return [digest for step in sorted(steps) for digest in steps[step][1]]


def test_no_picture_is_seen_twice_and_another_seed_shows_others(make_cfg, straight):
    steps, _ = straight
    assert len(set(pictures(steps))) == EPOCHS * 8
    other, _ = train(make_cfg(seed=6))
    assert not set(pictures(other)) & set(pictures(steps))


def test_workers_change_nothing(make_cfg, straight):
    steps, _ = train(make_cfg(num_workers=2, persistent_workers=True))
    assert steps == straight[0]


@pytest.mark.parametrize('train_iter', [2, pytest.param(3, marks=pytest.mark.slow)])
def test_interrupted_and_resumed_equals_uninterrupted(make_cfg, straight, train_iter):
    steps, end = straight
    cfg = make_cfg(num_workers=1, persistent_workers=True)
    before, _ = train(cfg, Interrupt(train_iter=train_iter))
    after, resumed_end = train(cfg, resume=True)
    assert {**before, **after} == steps
    assert digest(resumed_end['state_dict']) == digest(end['state_dict'])
    assert equal(resumed_end['optimizer'], end['optimizer'])
