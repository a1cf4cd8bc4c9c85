"""How long a training takes from its command to the end of its first iteration, by part.

python benchmarks/startup.py                                    # frcnn_tiny, 33,402 images
python benchmarks/startup.py configs/digits/frcnn_fp32.py --cfg-options model.backbone.init_cfg=None

tools/train.py runs as it is, each time as a process of its own. The training set has as many images
as SVHN's: few that are drawn, each under many names. All files are in the system's cache, since
they have just been written.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import describe_machine, print_table, spread

from mmdet_digits.checks.config_files import find_config
from mmdet_digits.cli import positive, run_tool
from mmdet_digits.errors import RunError
from mmdet_digits.synthetic.writer import DatasetSpec, write_dataset

DRAWN = 64
CLOCK, PROCESSOR = 0, 1


def main():
    """Print the table of one config."""
    args = parse_args()
    config = find_config(args.config)
    with tempfile.TemporaryDirectory() as folder:
        root = write_many_names(Path(folder, 'digits'), args.images)
        starts = [time_start(config, root, args.cfg_options) for _ in range(args.repeats + 1)]
    kind = 'processor' if args.cpu_time else 'clock'
    print(
        f'{describe_machine()}\n{args.config}, {args.images:,} images, {args.repeats} starts after '
        f'one to warm up, seconds of the {kind}\n'
    )
    print_table(['part', 's'], table_of(starts[1:], PROCESSOR if args.cpu_time else CLOCK))


def parse_args():
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', nargs='?', default='configs/digits/frcnn_tiny.py')
    parser.add_argument('--images', type=positive, default=33402, help='in the training set')
    parser.add_argument('--repeats', type=positive, default=5, help='starts that count')
    parser.add_argument(
        '--cpu-time',
        action='store_true',
        help='count the seconds of the processor, without those of data workers, instead of those '
        'of the clock: other programs matter less',
    )
    parser.add_argument('--cfg-options', nargs='+', default=[], help='as for tools/train.py')
    return parser.parse_args()


def write_many_names(root: Path, num_images: int) -> Path:
    """Draw a few images and link each under many names, with its boxes.

    Args:
        root: folder of the data set.
        num_images: in its training set.
    """
    write_dataset(root, DatasetSpec(min(DRAWN, num_images), valid=DRAWN, test=0), workers=1)
    coco = json.loads((root / 'train.json').read_text())
    boxes = {image['id']: [] for image in coco['images']}
    for box in coco['annotations']:
        boxes[box['image_id']].append(box)
    images, annotations = coco['images'], coco['annotations']
    for number in range(len(images) + 1, num_images + 1):
        drawn = images[(number - 1) % DRAWN]
        image = dict(drawn, id=number, file_name=f'{number}.png')
        os.link(root / 'train' / drawn['file_name'], root / 'train' / image['file_name'])
        images.append(image)
        annotations += [
            dict(box, id=len(annotations) + place, image_id=number)
            for place, box in enumerate(boxes[drawn['id']], start=1)
        ]
    (root / 'train.json').write_text(json.dumps(coco))
    return root


def time_start(config: Path, root: Path, options: list[str]) -> dict[str, list[float]]:
    """Train one iteration; the seconds of each part, of the clock and of the processor."""
    script = Path(__file__).with_name('first_iteration.py')
    with tempfile.TemporaryDirectory() as work_dir:
        arguments = [config, '--data-root', root, '--work-dir', work_dir]
        if options:
            arguments += ['--cfg-options', *options]
        done = subprocess.run(
            [sys.executable, script, str(time.time()), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RunError(f'{config} did not come to the end of its first iteration.\n{done.stderr}')
    return json.loads(done.stdout.splitlines()[-1])


def table_of(starts: list[dict[str, list[float]]], kind: int) -> list[list[str]]:
    """The rows of the table: each part, then all together."""
    rows = [[part, spread([start[part][kind] for start in starts])] for part in starts[0]]
    totals = [sum(seconds[kind] for seconds in start.values()) for start in starts]
    return [*rows, ['together', spread(totals)]]


if __name__ == '__main__':
    run_tool(main)
