"""Seconds and memory of COCO's figures of saved predictions, beside pycocotools'.

python benchmarks/evaluation.py                             # 10,000 drawn images
python benchmarks/evaluation.py --images 200000 --only ours
python benchmarks/evaluation.py --images 10 --crowd 8000    # so many detections in one image

Each contender reads the same two files in a process of its own. The seconds are those of its
processor, and the memory is its peak with Python in it. The last column is the largest difference
of a figure from pycocotools'.
"""

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

DIGITS = 10


def main():
    """Print a row for each contender, or run one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--images', type=int, default=10_000)
    parser.add_argument('--crowd', type=int, default=0, help='further detections in one image')
    parser.add_argument('--only', choices=CONTENDERS, nargs='+', default=[*CONTENDERS])
    parser.add_argument('--files', nargs=2, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.files:
        print(json.dumps(measure(CONTENDERS[args.only[0]], *args.files)))
        return
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(Path(folder), args.images, args.crowd)
        results = {name: run_alone(name, files) for name in args.only}
    from common import describe_machine, print_table  # which import torch

    print(f'{describe_machine()}; {args.images:,} images, {args.crowd:,} more detections in one')
    header = ('contender', 's', 'peak memory, MiB', 'images/s', 'largest difference')
    print_table(header, [row(name, results, args.images) for name in results])


def row(name, results, images):
    """The cells of a contender."""
    result, expected = results[name], results.get('pycocotools', {}).get('figures')
    off = [abs(result['figures'][key] - expected[key]) for key in expected or ()]
    seconds = result['seconds']
    cells = (f'{seconds:.3g}', f'{result["mib"]:,.0f}', f'{images / seconds:,.0f}')
    return (name, *cells, f'{max(off):.1g}' if off else '-')


def run_alone(name, files):
    """Run a contender in a process of its own."""
    command = [sys.executable, __file__, '--only', name, '--files', *map(str, files)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(contender, ann, pred):
    """Seconds, memory and figures of reading and scoring."""
    figures = contender(ann, pred)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {'seconds': time.process_time(), 'mib': usage.ru_maxrss / 1024, 'figures': figures}


def ours(ann, pred):
    """This project's figures; the files are checked as well."""
    from mmdet_digits.assembly.number_assembly import PRESETS
    from mmdet_digits.evaluation.annotations import read_annotations
    from mmdet_digits.evaluation.offline import evaluate_predictions
    from mmdet_digits.evaluation.predictions import read_predictions

    figures = evaluate_predictions(
        read_predictions(pred), read_annotations(ann), PRESETS['default']
    )
    names = {'mAP': 'mAP', 'AP50': 'mAP_50', 'AP75': 'mAP_75'}
    return {name: figures[f'coco/bbox_{key}'] for name, key in names.items()}


def pycocotools(ann, pred):
    """The reference."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return _by_coco(COCO, COCOeval, ann, pred)


def faster_coco_eval(ann, pred):
    """The reference in C++."""
    from faster_coco_eval import COCO, COCOeval_faster

    return _by_coco(COCO, COCOeval_faster, ann, pred)


def _by_coco(coco_class, eval_class, ann, pred):
    with contextlib.redirect_stdout(None):
        truth = coco_class(str(ann))
        evaluation = eval_class(truth, truth.loadRes(str(pred)), 'bbox')
        evaluation.params.maxDets = [100, 300, 1000]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = np.asarray(evaluation.eval['precision'])
    values = precision[..., 0, 0], precision[0, ..., 0, 2], precision[5, ..., 0, 2]
    means = (float(value[value > -1].mean()) for value in values)
    return dict(zip(('mAP', 'AP50', 'AP75'), means, strict=True))


CONTENDERS = {'pycocotools': pycocotools, 'faster-coco-eval': faster_coco_eval, 'ours': ours}


def write_files(folder, num_images, crowd, seed=0):
    """Draw true boxes and detections near them, 2.5 and 3.2 an image."""
    rng = np.random.default_rng(seed)
    images, boxes, records = [], [], []
    for image_id in range(1, num_images + 1):
        images.append(dict(id=image_id, file_name=f'{image_id}.png', width=120, height=60))
        for place in range(rng.integers(1, 5)):
            digit, bbox = int(rng.integers(1, DIGITS + 1)), [5.0 + 25 * place, 10.0, 20.0, 40.0]
            box = dict(id=len(boxes) + 1, image_id=image_id, category_id=digit, bbox=bbox)
            boxes.append(dict(box, area=800.0, iscrowd=0))
            for _ in range(1 + (rng.random() < 0.3)):
                read = digit if rng.random() < 0.9 else int(rng.integers(1, DIGITS + 1))
                moved = np.round(bbox + rng.normal(0, 2, 4), 3).tolist()
                records.append(_record(image_id, moved, float(rng.random()), read))
    for corner, score in zip(rng.uniform(0, 90, (crowd, 2)), rng.random(crowd), strict=True):
        read = int(rng.integers(1, DIGITS + 1))
        records.append(_record(1, [*corner.tolist(), 20.0, 40.0], float(score), read))
    categories = [dict(id=n + 1, name=str(n)) for n in range(DIGITS)]
    coco = dict(images=images, annotations=boxes, categories=categories)
    ann, pred = folder / 'ann.json', folder / 'pred.json'
    ann.write_text(json.dumps(coco))
    pred.write_text(json.dumps(records))
    return ann, pred


def _record(image_id, bbox, score, category_id):
    return dict(image_id=image_id, bbox=bbox, score=score, category_id=category_id)


if __name__ == '__main__':
    main()
