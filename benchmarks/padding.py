"""How much of a training's pixels is padding, by the way its batches are made.

python benchmarks/padding.py configs/digits/frcnn_fp32.py
python benchmarks/padding.py configs/digits/frcnn_tiny.py --ann train.json.gz --divisor 32

One epoch of the config's training set at its own scale; no image is loaded, so annotations are
enough. Batches in random order; by mmdet's AspectRatioBatchSampler; grouped by size in windows of
some batches; and of one image each, which leaves only the padding to the divisor.
"""

import argparse
from pathlib import Path

import mmdet_digits.register  # noqa: F401  (before anything imports mmdet)

# isort: split
from common import print_table
from mmdet.datasets.samplers import AspectRatioBatchSampler
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch.utils.data import BatchSampler

from mmdet_digits.cli import read_config, run_tool
from mmdet_digits.datasets.samplers.size_grouped_batch_sampler import (
    SizeGroupedBatchSampler,
    resized_shapes,
)
from mmdet_digits.engine.padding import Padding, padding_of
from mmdet_digits.utils.arguments import positive
from mmdet_digits.utils.config_data import pad_size_divisor

WINDOWS = (4, 16, 32, 64, 128)


def main():
    """Print the table of one config."""
    args = parse_args()
    cfg = read_config(args.config, args.data_root)
    batch = args.batch or cfg.train_dataloader.batch_size
    divisor = args.divisor or pad_size_divisor(cfg)
    dataset = build_dataset(cfg, args.ann)
    shapes = resized_shapes(dataset)
    print(
        f'{args.config}: {len(shapes):,} images up to {max(w for _, w in shapes)} x '
        f'{max(h for h, _ in shapes)}, batches of {batch}, sides padded to multiples of {divisor}\n'
    )
    header = ['batches', 'padding', 'for differing sizes', 'for the divisor', 'pixels per image']
    rows = []
    for name, batches in ways(dataset, batch).items():
        padding = sum((padding_of([shapes[i] for i in b], divisor) for b in batches), Padding())
        shares = [f'{share:.1%}' for share in padding.shares()]
        rows.append([name, *shares, f'{padding.pixels / len(shapes):,.0f}'])
    print_table(header, rows)


def parse_args():
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, e.g. configs/digits/frcnn_tiny.py')
    parser.add_argument('--data-root', help='folder with the data set (or set DIGITS_DATA_ROOT)')
    parser.add_argument('--ann', type=Path, help="COCO file (default: the config's)")
    parser.add_argument('--batch', type=positive, help="images per batch (default: the config's)")
    parser.add_argument(
        '--divisor', type=positive, help="what sides are multiples of (default: the model's)"
    )
    return parser.parse_args()


def build_dataset(cfg: Config, ann: Path | None):
    """The training set of a config, or that of another annotation file at its scale."""
    init_default_scope('mmdet')
    MMLogger.get_current_instance().setLevel('WARNING')
    settings = cfg.train_dataloader.dataset
    if ann:
        settings.ann_file = str(ann.resolve())
    return DATASETS.build(settings)


def ways(dataset, batch: int) -> dict[str, BatchSampler]:
    """The ways to make batches of an epoch, by name."""
    sampler = DefaultSampler(dataset, seed=0)
    return {
        'random': BatchSampler(sampler, batch, drop_last=False),
        'by aspect ratio (mmdet)': AspectRatioBatchSampler(sampler, batch),
        **{
            f'by size, window {window}': SizeGroupedBatchSampler(sampler, batch, window=window)
            for window in WINDOWS
        },
        'one image each': BatchSampler(sampler, 1, drop_last=False),
    }


if __name__ == '__main__':
    run_tool(main)
