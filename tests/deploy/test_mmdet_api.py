"""mmdet's own ways to a prediction, on this project's config and weights."""

import json
import subprocess
import sys

import numpy as np
import pytest
from mmdet.apis import DetInferencer

from mmdet_digits.checks.config_files import read_config
from mmdet_digits.deploy.predictor import load_detector, predict_images
from mmdet_digits.errors import InputError
from mmdet_digits.repository import REPOSITORY

CONFIG = REPOSITORY / 'configs' / 'digits' / 'frcnn_tiny_synthetic_256.py'
WEIGHTS = REPOSITORY / 'models' / 'frcnn_tiny_synthetic_256.safetensors'
MMDET = 'from mmdet.apis import DetInferencer, inference_detector, init_detector'
DIGITS = 'import mmdet_digits.register'
PREDICT = """
import json, mmcv, sys
config, weights, *images = sys.argv[1:]
inferencer = DetInferencer(model=config, weights=weights, device='cpu', show_progress=False)
model = init_detector(config, weights, device='cpu')
found = [inferencer(images, batch_size=size)['predictions'] for size in (1, 2)]
boxes = [[image['bboxes'] for image in images] for images in found]
for given in (images, [mmcv.imread(image) for image in images]):
    samples = inference_detector(model, given)
    boxes.append([sample.pred_instances.bboxes.tolist() for sample in samples])
print(json.dumps(boxes), model.dataset_meta['classes'][7])
"""


@pytest.fixture(scope='module')
def images(digits_root):
    return sorted(digits_root.joinpath('test').iterdir())[:3]


@pytest.fixture(scope='module')
def expected(images, digits_root):
    """The boxes of each image, as tools/predict.py finds them."""
    cfg = read_config(CONFIG, str(digits_root))
    batches = predict_images(load_detector(cfg, WEIGHTS, 'cpu'), cfg, images, batch_size=1)
    return [result.bboxes for batch in batches for result in batch]


@pytest.mark.parametrize(
    'imports',
    [[MMDET], pytest.param([MMDET, DIGITS], marks=pytest.mark.slow), [DIGITS, MMDET]],
    ids=';'.join,
)
def test_mmdet_predicts_as_this_project_does_whatever_is_imported_first(imports, images, expected):
    lines = '\n'.join([*imports, PREDICT])
    command = [sys.executable, '-c', lines, CONFIG, WEIGHTS, *images]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    shown, _, seven = done.stdout.splitlines()[-1].rpartition(' ')
    assert seven == '7'
    assert sum(map(len, expected)) > 0
    for way in json.loads(shown):  # one by one, in twos, as files, as arrays
        for found, own in zip(way, expected, strict=True):
            np.testing.assert_allclose(found, own, atol=1e-3)


def test_a_file_that_is_no_image_is_named(tmp_path):
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'\x89PNG')
    inferencer = DetInferencer(str(CONFIG), str(WEIGHTS), device='cpu', show_progress=False)
    with pytest.raises(InputError, match=r'broken\.png: cannot be decoded as an image'):
        inferencer(str(broken))
