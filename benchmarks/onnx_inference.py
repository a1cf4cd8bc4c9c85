r"""Prediction by ONNX Runtime, beside PyTorch.

python benchmarks/onnx_inference.py configs/digits/frcnn_tiny.py work_dirs/demo/epoch_1.pth \
    --images data/digits/test

Both take the same images, decoded and scaled already, to boxes in pixels of the files, in turn, in
one process and with as many threads. Without a GPU the times are those of the processors.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import mmdet_digits.register  # noqa: F401  (operators before mmdet)

# isort: split
import torch
from common import describe_machine, print_table, spread, time_in_turn

from mmdet_digits.checks.config_files import read_config
from mmdet_digits.cli import run_tool
from mmdet_digits.deploy.image_list import find_images
from mmdet_digits.deploy.onnx_detector import OnnxDetector
from mmdet_digits.deploy.onnx_export import export_onnx
from mmdet_digits.deploy.onnx_parity import measure_parity, packed_batches
from mmdet_digits.deploy.predictor import load_detector
from mmdet_digits.launching import find_checkpoint


def main():
    """Print the table of one checkpoint."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--images', nargs='+', required=True, help='files, folders or patterns')
    parser.add_argument('--count', type=int, default=64, help='images (default: 64)')
    parser.add_argument('--batches', type=int, nargs='+', default=[1, 8], help='default: 1 8')
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()
    cfg = read_config(args.config)
    model = load_detector(cfg, find_checkpoint(args.checkpoint), 'cpu')
    paths = find_images(args.images)[: args.count]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'model.onnx')
        started = time.perf_counter()
        export_onnx(model, file)
        seconds = time.perf_counter() - started
        size = file.stat().st_size / 1e6
        detector = OnnxDetector(file)
    print(f'{describe_machine()}\n{args.config}, {args.checkpoint}, {len(paths)} images')
    print(f'exported in {seconds:.1f} s, {size:.1f} MB\n')
    rows = [
        row
        for batch in args.batches
        for row in compare(model, detector, cfg, paths, batch, args.repeats)
    ]
    print_table(['', 'images/s', 'ratio', 'largest difference, px', '.. in score'], rows)


@torch.no_grad()
def compare(model, detector, cfg, paths, batch_size, repeats):
    """The rows of one batch size."""
    parity = measure_parity(model, detector, packed_batches(paths, cfg, batch_size))
    batches = list(packed_batches(paths, cfg, batch_size))
    ways = {
        name: partial(predict_all, step, batches)
        for name, step in (('PyTorch', model.test_step), ('ONNX Runtime', detector.test_step))
    }
    seconds = time_in_turn(ways, repeats, time.process_time)
    rates = {name: [len(paths) / value for value in values] for name, values in seconds.items()}
    gain = median(rates['ONNX Runtime']) / median(rates['PyTorch'])
    return [
        [f'PyTorch, batch {batch_size}', spread(rates['PyTorch']), '1', '', ''],
        [
            f'ONNX Runtime, batch {batch_size}',
            spread(rates['ONNX Runtime']),
            f'{gain:.2f}',
            f'{parity.bboxes:.1e}' if not parity.unpaired else f'{parity.unpaired} unpaired',
            f'{parity.scores:.1e}',
        ],
    ]


def predict_all(step, batches):
    """Predict every batch, each time as if it were new."""
    for batch in batches:
        step({key: list(values) for key, values in batch.items()})


if __name__ == '__main__':
    run_tool(main)
