"""A folder in which nothing is wrong, and the commands that run in it."""

import json
import pickle
import shlex
import shutil
from pathlib import Path

import numpy as np
import scipy.io
import torch
from in_process import run_in_process
from torchvision.models import get_model_builder

from mmdet_digits.synthetic.writer import DatasetSpec, write_dataset

REPOSITORY = Path(__file__).resolve().parents[2]
ARCH = 'fasterrcnn_resnet50_fpn_v2'

TRAIN = 'train.py config.py --data-root data --work-dir runs'
TEST = 'test.py config.py weights.pth --data-root data --work-dir runs'
PREDICT = 'predict.py config.py weights.pth photos --out out'
RELEASED = 'frcnn_tiny_synthetic_256'
PSEUDO = (
    f'pseudo_label.py {shlex.quote(str(REPOSITORY))}/configs/digits/{RELEASED}.py'
    f' {shlex.quote(str(REPOSITORY))}/models/{RELEASED}.safetensors photos'
    ' --numbers numbers.csv -o train_extra.json --sheet sheet.png --min-score 0.05'
)
EVALUATE = 'evaluate.py pred.json --ann data/valid.json --json figures.json'
ASSEMBLE = 'assemble_numbers.py pred.json --ann data/valid.json -o pred.csv'
SUBMIT = 'assemble_numbers.py pred.json --ann data/valid.json --submission out.zip'
TUNE = (
    'analysis_tools/tune_assembly.py pred.json --ann data/valid.json --out tuned'
    ' --scores 0.5 --ious 0.5 --repeats 10'
)
ERRORS = (
    'analysis_tools/number_errors.py pred.json --ann data/valid.json --images data/valid'
    ' --out errors'
)
LINK = 'prepare_data.py link data --out linked'
DRAW = 'prepare_data.py synthetic --train 1 --valid 1 --test 1 --workers 1 --out drawn'
SVHN = 'dataset_converters/svhn2coco.py svhn/digitStruct.mat --images data/valid -o converted.json'
VOC = 'dataset_converters/voc2coco.py voc --images data/valid -o converted.json'
YOLO = 'dataset_converters/yolo2coco.py data/valid yolo -o converted.json'
MCHAR = 'dataset_converters/mchar2coco.py mchar.json --images data/valid -o converted.json'
CHECK = 'check_data.py --data-root data'
PLOT = 'analysis_tools/plot_run.py earlier -o curves.png'
COMPARE = 'analysis_tools/compare_runs.py earlier --json compared.json'
EXPORT = 'model_converters/checkpoint2safetensors.py weights.pth out.safetensors'
WEIGHTS = f'model_converters/torchvision2mmdet.py torchvision.pth converted.pth --arch {ARCH}'
SCRIPT = 'analysis_tools/mmdet_tool.py --data-root data'
MMDET_RESULTS = f'{SCRIPT} analyze_results config.py test.pkl out --topk 1'
MMDET_BROWSE = f'{SCRIPT} browse_dataset config.py --output-dir out --not-show'
MMDET_CONFUSION = f'{SCRIPT} confusion_matrix config.py test.pkl out'
MMDET_FLOPS = f'{SCRIPT} get_flops config.py --num-images 1'
MMDET_PRINT = f'{SCRIPT} print_config config.py'
del SCRIPT

COMMANDS = {
    name: command
    for name, command in globals().copy().items()
    if name.isupper() and isinstance(command, str) and '.py ' in command
}

CONFIG = f"""_base_ = '{REPOSITORY}/configs/digits/frcnn_tiny.py'
model = dict(
    backbone=dict(base_channels=16, stem_channels=16),
    neck=dict(in_channels=[32, 64, 128]),
    roi_head=dict(bbox_head=dict(fc_out_channels=32)),
)
loader = dict(batch_size=2, num_workers=0, persistent_workers=False)
train_dataloader = dict(**loader)
val_dataloader = dict(**loader)
test_dataloader = dict(**loader)
train_cfg = dict(max_epochs=1)
del loader
"""


def make_sound_folder(folder: Path) -> None:
    """Put one of everything that the tools read into an empty folder."""
    spec = DatasetSpec(train=4, valid=2, test=2, seed=7, look='clear')
    write_dataset(folder / 'data', spec, workers=1)
    shutil.copytree(folder / 'data' / 'test', folder / 'photos')
    (folder / 'config.py').write_text(CONFIG)
    (folder / 'numbers.csv').write_text(numbers_csv(folder / 'data' / 'test.json'))
    _train(folder)
    boxes = json.loads((folder / 'data' / 'valid.json').read_text())['annotations']
    _write_predictions(folder, boxes)
    _write_other_formats(folder, boxes)
    (folder / 'assembly.json').write_text('{"score_thr": 0.4}')
    with torch.device('meta'):
        model = get_model_builder(ARCH)(weights=None, weights_backbone=None, num_classes=11)
    weights = {k: torch.zeros(()).expand(v.shape) for k, v in model.state_dict().items()}
    torch.save(weights, folder / 'torchvision.pth')


def numbers_csv(ann_file: Path) -> str:
    """The numbers of the images of a drawn split, whose boxes stand in reading order."""
    coco = json.loads(ann_file.read_text())
    rows = ['file_name,number']
    for image in coco['images']:
        boxes = [box for box in coco['annotations'] if box['image_id'] == image['id']]
        digits = (str(box['category_id'] - 1) for box in boxes)
        rows.append(f'{image["file_name"]},{"".join(digits)}')
    return '\n'.join(rows) + '\n'


def _train(folder: Path) -> None:
    tool, *arguments = TRAIN.split()
    done = run_in_process(tool, arguments, folder)
    assert done.status == 0, done.stderr
    (folder / 'runs').rename(folder / 'earlier')
    (folder / 'earlier' / 'epoch_1.pth').rename(folder / 'weights.pth')


def _write_predictions(folder: Path, boxes: list[dict]) -> None:
    records = [
        {key: box[key] for key in ('image_id', 'bbox', 'category_id')} | {'score': 0.9}
        for box in boxes
    ]
    for record in records[0], records[-1]:  # an error in each image
        record['category_id'] = record['category_id'] % 10 + 1
    (folder / 'pred.json').write_text(json.dumps(records))
    corners = torch.tensor([box['bbox'] for box in boxes], dtype=torch.float)
    corners[:, 2:] += corners[:, :2]
    found = dict(
        bboxes=corners[:1], scores=torch.ones(1), labels=torch.tensor([boxes[0]['category_id'] - 1])
    )
    sample = dict(img_id=boxes[0]['image_id'], pred_instances=found)
    (folder / 'pred.pkl').write_bytes(pickle.dumps([sample]))
    images = json.loads((folder / 'data' / 'test.json').read_text())['images']
    samples = [dict(sample, img_id=image['id']) for image in images]
    (folder / 'test.pkl').write_bytes(pickle.dumps(samples))


def _write_other_formats(folder: Path, boxes: list[dict]) -> None:
    """The validation images as SVHN, VOC, YOLO and MCHAR annotate them, a digit for each."""
    for name in ('svhn', 'voc', 'yolo'):
        (folder / name).mkdir()
    row = np.array([[8, 2, 2, 6, 10]])  # height, left, top, width, label
    scipy.io.savemat(folder / 'svhn' / 'digitStruct.mat', {'1.png': row, '2.png': row})
    mchar = dict(height=[8], left=[2], top=[2], width=[6], label=[0])
    (folder / 'mchar.json').write_text(json.dumps({'1.png': mchar, '2.png': mchar}))
    for number in (1, 2):
        (folder / 'voc' / f'{number}.xml').write_text(
            f'<annotation><filename>{number}.png</filename><object><name>7</name><bndbox>'
            '<xmin>2</xmin><ymin>2</ymin><xmax>8</xmax><ymax>9</ymax></bndbox></object></annotation>'
        )
        (folder / 'yolo' / f'{number}.txt').write_text('7 0.5 0.5 0.2 0.4\n')
