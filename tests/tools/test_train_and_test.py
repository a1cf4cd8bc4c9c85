"""The command lines, run as a user runs them."""

import json
import re
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet_digits.checks.dumped_config import get_setting, read_settings
from mmdet_digits.repository import REPOSITORY

TINY = 'configs/digits/frcnn_tiny.py'
RATE = 'optim_wrapper.optimizer.lr'
EVERY_STEP = ('train_cfg.val_interval=9', 'default_hooks.logger.interval=1')


@pytest.fixture
def train(run_tool, digits_root):
    """Train the tiny config on the small data set with further arguments."""

    def run(*arguments, cwd, root=digits_root):
        return run_tool('train.py', TINY, '--data-root', root, *arguments, cwd=cwd)

    return run


def scalars(work_dir):
    """What MMEngine logged, line by line, run after run."""
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def learning_rates(work_dir):
    return {line['step']: line['lr'] for line in scalars(work_dir) if 'loss' in line}


def test_training_learns_to_read_what_it_is_shown(train, run_tool, digits_root, tmp_path):
    """From random weights to mAP and number accuracy far above chance, on the images trained on."""
    options = (
        'train_cfg.max_epochs=90',
        'train_cfg.val_interval=90',
        'param_scheduler.1.T_max=90',
        'default_hooks.checkpoint.interval=90',
        'train_dataloader.dataset.ann_file=valid.json',
        'train_dataloader.dataset.data_prefix.img=valid/',
    )
    done = train('--work-dir', 'run', '--cfg-options', *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    log = scalars(tmp_path / 'run')
    losses = [line['loss'] for line in log if 'loss' in line]
    metrics = log[-1]
    assert losses[-1] < 0.5 * losses[0]
    assert metrics['coco/bbox_mAP'] > 0.5
    assert metrics['number/accuracy'] > 0.5
    assert list((tmp_path / 'run').glob('best_coco_bbox_mAP_epoch_*.pth'))
    assert list((tmp_path / 'run').glob('*/vis_data/events.out.tfevents.*'))

    checkpoint = tmp_path / 'run' / 'epoch_90.pth'
    arguments = ('--data-root', digits_root, '--work-dir', 'tested', '--out', 'predictions.pkl')
    tested = run_tool('test.py', TINY, checkpoint, *arguments, cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr
    for row in ('mAP', 'AP50', 'AP75', 'AP of 7', 'number accuracy', 'digit error rate'):
        assert re.search(rf'│ {row} +│ +\d\.\d{{3}} │', tested.stdout), row
    assert re.search(r'│ images/s +│ +\d+\.\d │', tested.stdout)
    metrics = json.loads((tmp_path / 'tested' / 'metrics.json').read_text())
    assert {'coco/bbox_mAP', 'number/accuracy', 'number/digit_error_rate'} <= set(metrics)
    assert metrics['checkpoint'] == str(checkpoint)
    assert (tmp_path / 'predictions.pkl').stat().st_size > 0


@pytest.fixture(scope='module')
def three_epochs(run_tool, digits_root, tmp_path_factory):
    """A folder with a training of three epochs, and one that resumed it after the second.

    Returns the folder, and how each of the two ended by its name.
    """
    folder = tmp_path_factory.mktemp('runs')
    command = ('train.py', TINY, '--data-root', digits_root)
    options = ('--cfg-options', 'train_cfg.max_epochs=3', *EVERY_STEP)
    resume = ('--resume', 'straight/epoch_2.pth')
    ends = {}
    for name, arguments in (('straight', ()), ('resumed', resume)):
        ends[name] = run_tool(*command, '--work-dir', name, *arguments, *options, cwd=folder)
        assert ends[name].returncode == 0, ends[name].stderr
    return folder, ends


@pytest.mark.parametrize('name', ['straight', 'resumed'])
def test_one_screen_before_the_first_iteration_and_all_in_the_log_file(three_epochs, name):
    folder, ends = three_epochs
    before, _, _ = ends[name].stdout.partition('Epoch(train)')
    (file,) = (folder / name).glob('*/*.log')
    assert str(file) in before
    assert before.count('\n') <= 40
    assert 'OneDL' not in before and 'resumed key' not in before
    logged = file.read_text()
    for dump in ('System environment:', 'Config:\n', 'Hooks will be executed'):
        assert dump in logged and dump not in ends[name].stdout


def test_resume_goes_on_with_the_same_iteration_and_learning_rate(three_epochs):
    folder, _ = three_epochs
    straight = learning_rates(folder / 'straight')
    assert list(straight) == list(range(1, 19))  # 48 images in batches of 8, 3 epochs
    last_epoch = {step: lr for step, lr in straight.items() if step > 12}
    assert learning_rates(folder / 'resumed') == last_epoch


def test_resume_says_which_changes_count_and_plans_more_epochs(train, three_epochs, tmp_path):
    """Against the rates of a run that was as long from the start."""
    two = ('train_cfg.max_epochs=2', 'param_scheduler.1.T_max=2')
    done = train('--work-dir', 'short', '--cfg-options', *EVERY_STEP, *two, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    def resume(*options):
        source = ('--work-dir', 'longer', '--resume', 'short/epoch_2.pth')
        return train(*source, '--cfg-options', *EVERY_STEP, *options, cwd=tmp_path)

    for option, said in (
        ('optim_wrapper.optimizer.type=SGD', "'SGD', in the checkpoint 'AdamW'"),
        ('train_dataloader.batch_size=4', '4, in the checkpoint 8'),
    ):
        refused = resume(*two, option)
        assert refused.returncode == 1
        assert said in refused.stderr and 'load_from=short/epoch_2.pth' in refused.stderr
        assert not (tmp_path / 'longer').exists()

    done = resume('train_cfg.max_epochs=3', 'param_scheduler.1.T_max=2', f'{RATE}=0.5')
    assert done.returncode == 0, done.stderr
    assert f"{RATE}: 0.5, in the checkpoint 0.001: the checkpoint's counts" in done.stdout
    assert 'train_cfg.max_epochs: 3, in the checkpoint 2: this one counts' in done.stdout
    straight = learning_rates(three_epochs[0] / 'straight')
    last_epoch = {step: lr for step, lr in straight.items() if step > 12}
    assert learning_rates(tmp_path / 'longer') == last_epoch
    (dumped,) = (tmp_path / 'longer').glob('*/vis_data/config.py')
    settings = read_settings(dumped)
    assert get_setting(settings, RATE) == 0.001
    assert settings['param_scheduler'][1]['T_max'] == 3


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('--cfg-options', 'optim_wrapper.optimizer.lrr=1'), 'optim_wrapper.optimizer.lr,'),
        (('--cfg-options', 'max_epochs=1'), 'train_cfg.max_epochs=1'),
        (('--data-root', 'nowhere'), 'python tools/prepare_data.py synthetic'),
    ],
)
def test_mistakes_end_with_one_message(train, tmp_path, arguments, said):
    done = train(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith('error: ')
    assert 'Traceback' not in done.stderr
    assert said in done.stderr
    assert not (tmp_path / 'work_dirs').exists()


def copied(digits_root, folder):
    """A copy of the annotation files beside links to the images."""
    folder.mkdir()
    for split in ('train', 'valid', 'test'):
        (folder / split).mkdir()
        for image in (digits_root / split).iterdir():
            (folder / split / image.name).symlink_to(image)
        (folder / f'{split}.json').write_text((digits_root / f'{split}.json').read_text())
    return folder


def test_a_training_is_not_resumed_with_fewer_images(
    run_process, three_epochs, digits_root, tmp_path
):
    """In a process of its own: its data workers run already when it ends."""
    root = copied(digits_root, tmp_path / 'data')
    content = json.loads((root / 'train.json').read_text())
    kept = [image['id'] for image in content['images'][:24]]
    content['images'] = content['images'][:24]
    content['annotations'] = [box for box in content['annotations'] if box['image_id'] in kept]
    (root / 'train.json').write_text(json.dumps(content))
    resume = ('--data-root', root, '--resume', three_epochs[0] / 'straight/epoch_1.pth')
    done = run_process('train.py', TINY, *resume, cwd=tmp_path)
    assert done.returncode == 1
    assert f'data_root: {str(root)!r}, in the checkpoint' in done.stdout
    assert '3 iterations an epoch; the checkpoint: 6 for 1 epochs' in done.stderr
    assert 'Traceback' not in done.stderr


def test_wrong_category_name_ends_with_both_lists(train, digits_root, tmp_path):
    root = copied(digits_root, tmp_path / 'data')
    content = json.loads((root / 'train.json').read_text())
    content['categories'][9]['name'] = 'nine'
    (root / 'train.json').write_text(json.dumps(content))
    done = train(cwd=tmp_path, root=root)
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert f'{root / "train.json"}: category names' in done.stderr
    assert "9='8' (3 boxes), 10='nine' (9 boxes)" in done.stderr
    assert 'expected: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9' in done.stderr


def test_damaged_image_in_a_data_worker_ends_with_its_path(run_process, digits_root, tmp_path):
    """Its file is whole, so that nothing is seen before its pixels are read."""
    root = copied(digits_root, tmp_path / 'data')
    image = root / 'train' / '5.png'
    pixels = bytearray(image.read_bytes())
    middle = len(pixels) // 2
    pixels[middle : middle + 40] = bytes(40)
    image.unlink()
    image.write_bytes(pixels)
    done = run_process('train.py', TINY, '--data-root', root, cwd=tmp_path)
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert f'{image}: cannot be decoded' in done.stderr


def test_misspelt_key_in_a_config_ends_with_the_nearest(run_tool, digits_root, tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text(f"_base_ = '{Path(__file__).parents[2] / TINY}'\nload_form = 'x.pth'\n")
    done = run_tool('train.py', config, '--data-root', digits_root, cwd=tmp_path)
    assert done.returncode == 1
    assert 'load_form' in done.stderr and 'rename it to load_from' in done.stderr


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('configs/digits/frcnn_tinny.py', 'x.pth'), 'did you mean configs/digits/frcnn_tiny.py'),
        ((TINY, 'nothing.pth'), 'nothing.pth: no such checkpoint'),
    ],
)
def test_missing_files_are_named(run_tool, digits_root, tmp_path, arguments, said):
    done = run_tool('test.py', *arguments, '--data-root', digits_root, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr


def test_pretrained_weights_out_of_reach_say_how_to_go_on(
    run_tool, digits_root, tmp_path, monkeypatch
):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'empty'))
    monkeypatch.setenv('https_proxy', 'http://127.0.0.1:9')  # nothing listens there
    config = 'configs/digits/frcnn_fp32.py'
    done = run_tool('train.py', config, '--data-root', digits_root, cwd=tmp_path)
    assert done.returncode == 1
    assert 'torchvision://resnet50' in done.stderr
    assert 'model.backbone.init_cfg.checkpoint=FILE' in done.stderr
    assert 'model.backbone.init_cfg=None' in done.stderr


def test_svhn_image_sizes_do_not_matter_to_test_time_augmentation(run_tool, digits_root, tmp_path):
    weights = REPOSITORY / 'models/frcnn_tiny_synthetic_256.safetensors'
    arguments = (TINY, weights, '--data-root', digits_root, '--tta')
    tested = run_tool('test.py', *arguments, '--show-dir', 'pictures', cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr
    assert 'number accuracy' in tested.stdout
    pictures = list(tmp_path.glob('work_dirs/frcnn_tiny/*/pictures/*.png'))
    assert len(pictures) == 16
    assert np.asarray(cv2.imread(str(pictures[0]))).size > 0


def test_images_without_labels_are_linked_predicted_on_and_submitted(
    run_tool, digits_root, tmp_path
):
    """HW2's test folder has no test.json."""
    source = copied(digits_root, tmp_path / 'hw2')
    (source / 'test.json').unlink()
    linked = run_tool('prepare_data.py', 'link', 'hw2', '--out', 'linked', cwd=tmp_path)
    printed = re.search(r'python tools/(test\.py \S+ CHECKPOINT .*--submission.*)', linked.stdout)
    weights = REPOSITORY / 'models/frcnn_tiny_synthetic_256.safetensors'
    command = printed[1].replace('CHECKPOINT', str(weights)).split()
    tested = run_tool(*command, cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr
    assert 'linked/test.json is not there' in tested.stdout
    assert 'nothing to score' in tested.stdout
    with zipfile.ZipFile(tmp_path / 'submission.zip') as archive:
        assert sorted(archive.namelist()) == ['pred.csv', 'pred.json']
        rows = archive.read('pred.csv').decode().splitlines()[1:]
    stems = sorted(int(path.stem) for path in (digits_root / 'test').iterdir())
    assert [int(row.split(',')[0]) for row in rows] == stems
    doctor = run_tool('doctor.py', TINY, '--data-root', 'linked', '--json', cwd=tmp_path)
    assert doctor.returncode == 0, doctor.stdout
    checks = json.loads(doctor.stdout)['checks']
    assert {check['name']: check['status'] for check in checks}['Test labels'] == 'ok'
