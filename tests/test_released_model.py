"""The weights that come with the repository are those of the card, and read numbers."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from mmdet_digits.assembly.number_assembly import assemble_numbers
from mmdet_digits.checkpoints.safetensors_files import read_safetensors
from mmdet_digits.checks.config_files import read_config
from mmdet_digits.deploy.onnx_export import settings_of
from mmdet_digits.deploy.onnx_graph import OnnxGraph
from mmdet_digits.deploy.predictor import collect_predictions, load_detector, predict_images
from mmdet_digits.evaluation.assembly_files import read_assembly
from mmdet_digits.repository import REPOSITORY
from mmdet_digits.synthetic import DatasetSpec, write_dataset

MODELS = REPOSITORY / 'models'
FILES = sorted(path for path in MODELS.iterdir() if path.suffix in ('.onnx', '.safetensors'))
WEIGHTS = MODELS / 'frcnn_tiny_synthetic_256.safetensors'
CONFIG = 'configs/digits/frcnn_tiny_synthetic_256.py'


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_files_are_those_of_the_card_and_small(path):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest in (MODELS / 'README.md').read_text()
    assert path.stat().st_size <= 10e6


@pytest.mark.parametrize('path', sorted(MODELS.glob('*.safetensors')), ids=lambda path: path.name)
def test_configs_name_no_folder_of_the_machine_that_trained(path):
    text = read_safetensors(path)['meta']['cfg']
    assert 'data/s' in text
    assert not re.findall(r"'/(?!usr/share/fonts')[^']*'", text)


@pytest.mark.parametrize('path', sorted(MODELS.glob('*.onnx')), ids=lambda path: path.name)
def test_exports_read_images_as_their_configs_do(path):
    cfg = read_config(f'configs/digits/{path.stem}.py')
    assert OnnxGraph(path).settings == json.loads(json.dumps(settings_of(cfg)))


def test_it_reads_most_scenes_that_it_has_not_seen(tmp_path, monkeypatch):
    monkeypatch.setenv('DIGITS_DATA_ROOT', '')  # reading a config for a folder sets it
    write_dataset(tmp_path / 'scenes', DatasetSpec(60, 0, 0, seed=1, look='clear'), workers=1)
    truth = json.loads((tmp_path / 'scenes/train.json').read_text())
    numbers = {image['id']: '' for image in truth['images']}
    for box in truth['annotations']:  # in reading order
        numbers[box['image_id']] += str(box['category_id'] - 1)
    paths = [Path(tmp_path, 'scenes/train', image['file_name']) for image in truth['images']]
    cfg = read_config(CONFIG, str(tmp_path / 'scenes'))
    model = load_detector(cfg, WEIGHTS, 'cpu')
    results = [r for batch in predict_images(model, cfg, paths, 16) for r in batch]
    results.sort(key=lambda result: result.index)
    ids = list(numbers)
    detections = collect_predictions(results, ids, 0.05, 'here').to_detections(ids, 'the scenes')
    read = assemble_numbers(detections, read_assembly('default')).strings
    right = sum(map(str.__eq__, map(str, read), numbers.values()))
    assert right >= 0.75 * len(paths)
