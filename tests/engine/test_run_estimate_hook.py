import pytest

from mmdet_digits.engine.hooks.run_estimate_hook import estimate


@pytest.mark.parametrize(
    ('seconds', 'iters', 'on_gpu', 'duration', 'advised'),
    [
        (0.5, 100, False, '0:00:50', False),
        (1.0, 3600, False, '1:00:00', False),
        (1.0, 3601, False, '1:00:01', True),
        (1.0, 7200, True, '2:00:00', False),
    ],
)
def test_estimate_names_the_tiny_config_for_long_runs_without_a_gpu(
    seconds, iters, on_gpu, duration, advised
):
    text = estimate(seconds, iters, on_gpu)
    assert duration in text
    assert f'{iters:,} iterations' in text
    assert ('frcnn_tiny.py' in text) is advised
