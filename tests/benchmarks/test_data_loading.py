"""Loaders are compared on the same images, and what waits for them is counted."""

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from printed_tables import rows_of

from mmdet_digits.checks.config_files import read_config

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


@pytest.fixture
def cfg(digits_root, monkeypatch):
    monkeypatch.setenv('DIGITS_DATA_ROOT', str(digits_root))
    return read_config('configs/digits/frcnn_tiny.py')


def test_the_peer_loads_the_same_images_and_boxes(cfg):
    from data_loading import loader_of, peer_loader
    from mmengine.runner import Runner

    own = loader_of(cfg, images=8, workers=0)
    own['dataset']['pipeline'] = [
        step for step in own['dataset']['pipeline'] if 'Resize' not in step['type']
    ]
    items = {
        sample.img_id: (image, sample.gt_instances)
        for batch in Runner.build_dataloader(own)
        for image, sample in zip(batch['inputs'], batch['data_samples'], strict=True)
    }
    assert len(items) == 8
    for images, targets in peer_loader(cfg, images=8, workers=0):
        for image, target in zip(images, targets, strict=True):
            expected, truth = items[target['image_id']]
            assert torch.equal((image * 255).round().byte(), expected.flip(0))
            torch.testing.assert_close(torch.Tensor(target['boxes']), truth.bboxes.tensor)
            assert torch.equal(target['labels'] - 1, truth.labels)


def test_each_number_of_workers_is_compared_with_its_peer(cfg):
    from data_loading import rates

    rows = rates(cfg, Namespace(images=8, workers=[0], repeats=1))
    assert [row[0] for row in rows] == ['torchvision', 'mmdet-digits']
    assert rows[0][-1] == '1.0' and all(float(row[-1]) > 0 for row in rows)


def test_the_first_epoch_and_the_start_of_its_workers_do_not_count():
    from data_loading import second_epoch

    assert second_epoch(HistoryBuffer(np.arange(6.0), np.ones(6))) == [4, 5]


@pytest.mark.slow
def test_waiting_is_part_of_the_iteration():
    few = ['--images', '32', '--workers', '0', '--repeats', '1']
    done = subprocess.run(
        [sys.executable, BENCHMARKS / 'data_loading.py', *few], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = rows_of(done.stdout.partition('\n\n')[2].partition('\n\n')[2])
    whole, waiting, share = rows['0']
    assert 0 < float(share.rstrip('%')) < 100
    assert float(waiting.split()[0]) < float(whole.split()[0])
