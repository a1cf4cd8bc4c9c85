"""Operators first: mmcv.ops cannot be imported before ``ensure_ops`` where nothing was compiled."""

import pytest
import torch

from mmdet_digits.ops import ensure_ops

BACKEND = ensure_ops()


@pytest.fixture
def bridge():
    """Skip tests of what only the torchvision kernels promise."""
    if BACKEND != 'torchvision':
        pytest.skip('mmcv has compiled operators here')


@pytest.fixture(params=['cpu', pytest.param('cuda', marks=pytest.mark.gpu)])
def device(request):
    if request.param == 'cuda' and not torch.cuda.is_available():
        pytest.skip('needs a CUDA device')
    return request.param
