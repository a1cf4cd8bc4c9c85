"""Data workers compute in one thread each, so that they leave the processors to the model."""

import cv2
import pytest
import torch
from mmengine.utils.dl_utils import set_multi_processing
from torch.utils.data import DataLoader, Dataset

from mmdet_digits.checks.config_files import read_config


class Threads(Dataset):
    """Tells how many threads OpenCV and torch would use where it is asked."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return cv2.getNumThreads(), torch.get_num_threads()


@pytest.fixture
def several_threads():
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(2)
    torch.set_num_threads(2)
    yield
    cv2.setNumThreads(threads[0])
    torch.set_num_threads(threads[1])


def test_workers_of_a_run_have_one_thread_each(several_threads):
    cfg = read_config('configs/digits/frcnn_tiny.py')
    set_multi_processing(**cfg.env_cfg.mp_cfg)
    assert list(DataLoader(Threads(), batch_size=None, num_workers=2)) == [[1, 1]] * 2
