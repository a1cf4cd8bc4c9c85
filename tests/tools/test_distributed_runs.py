"""Two processes that share a batch, beside one process that has all of it."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmdet_digits.repository import REPOSITORY

# What would differ for reasons of its own is taken out: batch norm with the statistics of a part of
# the batch, chance in the sampling, padding to the largest image of a part. AdamW would make a
# whole step of a gradient that is nothing but rounding.
CONFIG = """
_base_ = '{repository}/configs/digits/frcnn_tiny.py'
custom_imports = dict(imports=['mmdet_digits.register', 'first_sampler'])
sampler = dict(type='FirstSampler', num=8)
model = dict(
    backbone=dict(norm_eval=True),
    train_cfg=dict(rpn=dict(sampler=sampler), rcnn=dict(sampler=sampler)),
    test_cfg=dict(rcnn=dict(score_thr=0.0)),
)
pipeline = _base_.train_pipeline
pipeline[2] = dict(type='Resize', scale=(96, 48), keep_ratio=False)
test_pipeline = _base_.test_pipeline
test_pipeline[1] = pipeline[2]
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(dataset=dict(pipeline=pipeline, indices=16), **loader)
val_dataloader = dict(batch_size=2, dataset=dict(pipeline=test_pipeline, indices=13), **loader)
test_dataloader = dict(batch_size=2, dataset=dict(pipeline=test_pipeline, indices=13), **loader)
precision = dict(type='DigitsPrecisionMetric', score_thr=0.05, iou_thr=0.1)
test_evaluator = [*_base_.test_evaluator, precision]
optimizer = dict(_delete_=True, type='SGD', lr=0.02, momentum=0.9)
optim_wrapper = dict(optimizer=optimizer)
param_scheduler = [dict(type='ConstantLR', factor=1.0)]
train_cfg = dict(max_epochs=3)
default_hooks = dict(logger=dict(interval=1))
"""


TOOLS = REPOSITORY / 'tools'


def start(script, *arguments, **environment):
    """Start a script; returns its exit status and what it printed."""
    unset = ('NNODES', 'NODE_RANK', 'MASTER_ADDR', 'PORT')
    inherited = {key: value for key, value in os.environ.items() if key not in unset}
    done = subprocess.run(
        ['bash', TOOLS / script, *arguments],
        env={**inherited, 'OMP_NUM_THREADS': '1', **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ('environment', 'machines'),
    [
        ({}, '--standalone'),
        ({'NNODES': '1', 'PORT': '1'}, '--standalone'),
        (
            {'NNODES': '3', 'NODE_RANK': '1', 'MASTER_ADDR': 'first'},
            '--nnodes 3 --node-rank 1 --master-addr first --master-port 29500',
        ),
        (
            {'NNODES': '2', 'NODE_RANK': '0', 'MASTER_ADDR': 'me', 'PORT': '7'},
            '--nnodes 2 --node-rank 0 --master-addr me --master-port 7',
        ),
    ],
)
@pytest.mark.parametrize('tool', ['train', 'test'])
def test_what_torchrun_is_asked_for(tool, environment, machines):
    arguments = ['a.py', 'b.pth'][: 1 + (tool == 'test')]
    status, said, _ = start(
        f'dist_{tool}.sh', *arguments, '2', '--work-dir', 'c d', PYTHON='echo', **environment
    )
    assert status == 0
    assert (
        said.split()
        == (
            f'-m torch.distributed.run {machines} --nproc-per-node 2 {TOOLS}/{tool}.py '
            f'{" ".join(arguments)} --work-dir c d --launcher pytorch'
        ).split()
    )


def test_a_machine_that_does_not_know_the_others():
    status, _, said = start('dist_train.sh', 'a.py', '2', PYTHON='echo', NNODES='2')
    assert status == 1 and 'NODE_RANK: which of the 2 machines this is, from 0' in said


@pytest.mark.parametrize('arguments', [(), ('a.py',), ('a.py', '0'), ('a.py', '--work-dir', 'b')])
@pytest.mark.parametrize('tool', ['train', 'test'])
def test_without_a_number_of_processes_the_usage_is_shown(tool, arguments):
    status, _, said = start(f'dist_{tool}.sh', *arguments, PYTHON='echo')
    assert status == 2 and f'tools/dist_{tool}.sh CONFIG ' in said


def test_what_is_wrong_is_said_once_before_torchrun_reports_it():
    status, _, said = start('dist_train.sh', 'missing.py', '2', PYTHON=sys.executable)
    assert status == 1
    assert said.startswith('error: missing.py: no such config.') and said.count('error: ') == 1


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Where the runs of this module are, with their config."""
    folder = tmp_path_factory.mktemp('runs')
    (folder / 'even.py').write_text(CONFIG.format(repository=REPOSITORY))
    return folder


@pytest.fixture(scope='module')
def run(folder, digits_root):
    """Run a tool or a shell script from that folder."""
    path = os.pathsep.join(map(str, (Path(__file__).parent, REPOSITORY)))
    variables = dict(OMP_NUM_THREADS='1', PYTHON=sys.executable, PYTHONPATH=path)

    def run(*command):
        done = subprocess.run(
            [*map(str, command), '--data-root', digits_root],
            cwd=folder,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope='module')
def trained(run, folder):
    """A run of one process with batches of 8, and one of two processes with batches of 4 each."""
    batch = ('--cfg-options', 'train_dataloader.batch_size=4')
    run(sys.executable, TOOLS / 'train.py', 'even.py', '--work-dir', 'one')
    said = run(TOOLS / 'dist_train.sh', 'even.py', 2, '--work-dir', 'two', *batch)
    assert said.count('2 processes, joined by gloo.') == 1
    return folder / 'one', folder / 'two'


def scalars(work_dir):
    (file,) = work_dir.glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.slow
def test_losses_are_those_of_one_process_with_the_whole_batch(trained):
    """Up to the order in which gradients are added, which here was 5e-8 of the loss."""
    for name, count in {'loss': 6, 'val/loss': 3}.items():
        one, two = ([line[name] for line in scalars(run) if name in line] for run in trained)
        assert len(one) == count and len(set(one)) == count
        assert two == pytest.approx(one, rel=1e-5), name


@pytest.mark.slow
def test_weights_are_those_of_one_process_with_the_whole_batch(trained):
    one, two = (
        torch.load(run / 'epoch_3.pth', weights_only=False)['state_dict'] for run in trained
    )
    torch.testing.assert_close(two, one, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_metrics_are_those_of_one_process(run, trained, folder):
    """13 images: one of the two processes is given an image of the other to have as many."""
    checkpoint = trained[0] / 'epoch_3.pth'
    for name, command in dict(
        one=(sys.executable, TOOLS / 'test.py', 'even.py', checkpoint),
        two=(TOOLS / 'dist_test.sh', 'even.py', checkpoint, 2),
    ).items():
        said = run(*command, '--work-dir', f'{name}_test', '--out', f'{name}.pkl')
        assert said.count('written to') == 1
    names = ('one', 'two')
    one, two = (json.loads((folder / f'{n}_test/metrics.json').read_text()) for n in names)
    assert one.keys() == two.keys() and one['digits/recall'] > 0
    assert any(0 < value < 1 for name, value in one.items() if name.startswith('coco/'))
    for name in set(one) - {'images_per_second'}:
        assert two[name] == pytest.approx(one[name], abs=1e-6, nan_ok=True), name

    one, two = (pickle.loads((folder / f'{name}.pkl').read_bytes()) for name in names)
    assert [image['img_id'] for image in two] == [image['img_id'] for image in one]
    assert len({image['img_id'] for image in two}) == len(two) == 13
    for ours, theirs in zip(two, one, strict=True):
        torch.testing.assert_close(
            ours['pred_instances']['bboxes'], theirs['pred_instances']['bboxes'], rtol=0, atol=1e-4
        )
