"""One set of predictions has one set of figures, whichever tool computes them."""

import csv
import json
import zipfile
from dataclasses import replace

import pytest

from mmdet_digits.assembly.number_assembly import PRESETS
from mmdet_digits.evaluation.assembly_files import assembly_beside
from mmdet_digits.repository import REPOSITORY

WEIGHTS = REPOSITORY / 'models/frcnn_tiny_synthetic_256.safetensors'
ASSEMBLY = dict(score_thr=0.9, iou_thr=0.3)
CONFIG = f"""_base_ = '{REPOSITORY}/configs/digits/frcnn_tiny.py'
custom_imports = dict(imports=['mmdet_digits.register', 'my_metric'], allow_failed_imports=False)
number = dict(type='NumberMetric', assembly=dict({ASSEMBLY}))
test_evaluator = dict(
    _delete_=True,
    type='Evaluator',
    metrics=[_base_.test_evaluator[0], number, dict(type='WideBoxes')],
)
"""
METRIC = """from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric


@METRICS.register_module()
class WideBoxes(BaseMetric):
    default_prefix = 'mine'

    def process(self, data_batch, data_samples):
        self.results += [len(sample['pred_instances']['scores']) for sample in data_samples]

    def compute_metrics(self, results):
        return {'boxes': sum(results), 'per_image': sum(results) / len(results)}
"""


@pytest.fixture(scope='module')
def tested(run_process, digits_root, tmp_path_factory):
    """A folder in which test.py has run, on annotations with ids from 0, crowds and ignores."""
    folder = tmp_path_factory.mktemp('tested')
    (folder / 'data').mkdir()
    (folder / 'data/test').symlink_to(digits_root / 'test')
    content = json.loads((digits_root / 'test.json').read_text())
    for number, box in enumerate(content['annotations']):
        box['id'] = number
    content['annotations'][0]['iscrowd'] = 1
    content['annotations'][5]['ignore'] = 1
    (folder / 'data/test.json').write_text(json.dumps(content))
    (folder / 'mine.py').write_text(CONFIG)
    (folder / 'my_metric.py').write_text(METRIC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('PYTHONPATH', f'{REPOSITORY}:{folder}')
        outputs = ('--work-dir', 'run', '--submission', 'out.zip')
        arguments = ('mine.py', WEIGHTS, '--data-root', 'data', *outputs)
        done = run_process('test.py', *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / 'stdout').write_text(done.stdout)
    return folder


@pytest.mark.parametrize('name', ['pred.json', 'predictions.pkl'])
def test_evaluate_reports_what_the_test_has_reported(tested, run_tool, name):
    arguments = (f'run/{name}', '--ann', 'data/test.json', '--json', f'{name}.metrics.json')
    done = run_tool('evaluate.py', *arguments, cwd=tested)
    assert done.returncode == 0, done.stderr
    assert 'default with score_thr=0.9, iou_thr=0.3' in done.stdout
    ours = json.loads((tested / 'run/metrics.json').read_text())
    theirs = json.loads((tested / f'{name}.metrics.json').read_text())
    shared = {key for key in ours if key.startswith(('coco/', 'number/'))}
    assert {'coco/bbox_mAP', 'coco/bbox_mAP_50', 'number/accuracy'} <= shared
    for key in shared:
        if ours[key] is not None:  # NaN for a digit that the set does not have
            rounded = 5.1e-4 if key.startswith('coco/') else 1e-12
            assert ours[key] == pytest.approx(theirs[key], abs=rounded), key
    assert 0.3 < ours['coco/bbox_mAP'] < 1 and 0.3 < ours['number/accuracy'] <= 1


def test_the_assembly_travels_with_the_predictions(tested, run_tool):
    wanted = replace(PRESETS['default'], **ASSEMBLY)
    for name in ('pred.json', 'predictions.pkl'):
        assert assembly_beside(tested / 'run' / name) == wanted
    assert json.loads((tested / 'run/metrics.json').read_text())['assembly'] == (
        'default with score_thr=0.9, iou_thr=0.3'
    )
    source = ('run/pred.json', '--ann', 'data/test.json')
    written = {}
    for name, more in (('own', ()), ('asked', ('--assembly', 'default'))):
        done = run_tool('assemble_numbers.py', *source, '-o', name, *more, cwd=tested)
        assert done.returncode == 0, done.stderr
        written[name] = (tested / name).read_text()
    with zipfile.ZipFile(tested / 'out.zip') as archive:
        assert archive.read('pred.csv').decode() == written['own'] != written['asked']


def test_each_number_has_its_confidence_in_a_file(tested):
    rows = list(csv.DictReader((tested / 'run/numbers.csv').open()))
    with zipfile.ZipFile(tested / 'out.zip') as archive:
        labels = list(csv.DictReader(archive.read('pred.csv').decode().splitlines()))
    assert {row['image_id']: row['number'] for row in rows} == {
        row['image_id']: row['pred_label'] for row in labels
    }
    assert all((tested / 'data/test' / row['file_name']).is_file() for row in rows)
    for row in rows:
        scores = json.loads(row['digit_scores'])
        product = 1.0 if scores else 0.0
        for score in scores:
            product *= score
        assert float(row['confidence']) == pytest.approx(product, abs=1e-3)
    assert len({row['confidence'] for row in rows}) > 3


def test_a_metric_of_the_config_stands_in_the_table(tested):
    stdout = (tested / 'stdout').read_text()
    found = len(json.loads((tested / 'run/pred.json').read_text()))
    assert f'│ mine/boxes │ {found} │'.replace(' ', '') in stdout.replace(' ', '')
    assert f'│ mine/per_image │ {found / 16:.3f} │'.replace(' ', '') in stdout.replace(' ', '')
    assert 'mine/boxes' in json.loads((tested / 'run/metrics.json').read_text())
