"""How fast images are loaded, and what share of a training iteration waits for them.

python benchmarks/data_loading.py                                       # frcnn_tiny, drawn images
python benchmarks/data_loading.py configs/digits/frcnn_fp32.py --data-root data/svhn

The first table has images/s of the data loader of a config beside torchvision's CocoDetection with
the transform of its detection reference: to a tensor from 0 to 1. That peer does not resize; its
detector does so later. The second table is of real trainings: the time that the loop waited for
batches, in the second epoch.
"""

import argparse
import contextlib
import logging
import statistics
import tempfile
from pathlib import Path

import torch
from common import describe_machine, print_table, spread, time_in_turn
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from torch.utils.data import DataLoader
from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2
from torchvision.transforms import v2

from mmdet_digits.checks.config_files import read_config
from mmdet_digits.cli import natural, positive, run_tool
from mmdet_digits.launching import build_runner
from mmdet_digits.synthetic.writer import DatasetSpec, write_dataset


def main():
    """Print both tables of one config."""
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = args.data_root
        if root is None:
            root = Path(folder, 'digits')
            write_dataset(root, DatasetSpec(args.images, valid=0, test=0), workers=1)
        cfg = read_config(args.config, root)
        cfg.work_dir = folder
        print(
            f'{describe_machine()}\n{args.config}, {args.images} images '
            f'({args.data_root or "drawn"}), {cfg.train_dataloader.batch_size} per batch\n'
        )
        logging.disable(logging.INFO)
        init_default_scope('mmdet')
        set_multi_processing(**cfg.env_cfg.mp_cfg)  # as trainings do: OpenCV in one thread
        print_table(['loader', 'workers', 'images/s', 'times as fast'], rates(cfg, args))
        print()
        header = ['workers', 'iteration, ms', 'waiting, ms', 'share']
        print_table(header, waits(cfg, args))


def parse_args():
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', nargs='?', default='configs/digits/frcnn_tiny.py')
    parser.add_argument('--data-root', help='folder with a data set (default: images are drawn)')
    parser.add_argument('--images', type=positive, default=320, help='of its training set')
    parser.add_argument('--workers', type=natural, nargs='+', default=[0, 1, 2])
    parser.add_argument('--repeats', type=positive, default=5, help='epochs that count')
    return parser.parse_args()


def rates(cfg: Config, args) -> list[list[str]]:
    """Time epochs of loading alone, in turn: a row per loader and number of workers."""
    rows = []
    for workers in args.workers:
        loaders = {
            'torchvision': peer_loader(cfg, args.images, workers),
            'mmdet-digits': Runner.build_dataloader(loader_of(cfg, args.images, workers)),
        }
        ways = {
            name: lambda loader=loader: sum(1 for _ in loader) for name, loader in loaders.items()
        }
        seconds = time_in_turn(ways, args.repeats)
        first = statistics.median(seconds['torchvision'])
        for name, values in seconds.items():
            speeds = [len(loaders[name].dataset) / value for value in values]
            ratio = f'{first / statistics.median(values):.1f}'
            rows.append([name, str(workers), spread(speeds), ratio])
    return rows


def loader_of(cfg: Config, images: int, workers: int) -> dict:
    """The training loader of a config, for some images."""
    loader = cfg.train_dataloader.to_dict()
    loader['dataset'].update(indices=images)
    return dict(loader, num_workers=workers, persistent_workers=workers > 0)


def peer_loader(cfg: Config, images: int, workers: int) -> DataLoader:
    """The same images as torchvision's detection reference loads them, without its flip."""
    dataset = cfg.train_dataloader.dataset
    root = Path(dataset.data_root)
    transforms = [v2.ToImage(), v2.ToDtype(torch.float, scale=True), v2.ToPureTensor()]
    with contextlib.redirect_stdout(None):  # pycocotools prints its progress
        coco = CocoDetection(
            root / dataset.data_prefix.img,
            root / dataset.ann_file,
            transforms=v2.Compose(transforms),
        )
    coco = wrap_dataset_for_transforms_v2(coco, target_keys=('image_id', 'boxes', 'labels'))
    return DataLoader(
        torch.utils.data.Subset(coco, range(min(images, len(coco)))),
        batch_size=cfg.train_dataloader.batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=pair_up,
    )


def pair_up(batch: list) -> tuple:
    """Images and targets apart, as the reference has them."""
    return tuple(zip(*batch, strict=True))


def waits(cfg: Config, args) -> list[list[str]]:
    """Train two epochs with each number of workers: a row of the second one's times."""
    rows = []
    for workers in args.workers:
        whole, waiting = train(cfg, loader_of(cfg, args.images, workers))
        share = f'{sum(waiting) / sum(whole):.1%}'
        times = [spread([1e3 * value for value in values]) for values in (whole, waiting)]
        rows.append([str(workers), *times, share])
    return rows


def train(cfg: Config, loader: dict) -> tuple[list[float], list[float]]:
    """Train two epochs from random weights.

    Returns:
        The seconds of each iteration of the second, and those of them spent waiting for its batch.
    """
    cfg = Config(cfg.to_dict(), filename=cfg.filename)
    name = f'{loader["num_workers"]} workers'
    cfg.model.backbone.init_cfg = None
    cfg.merge_from_dict(
        dict(
            train_dataloader=loader,
            train_cfg=dict(max_epochs=2),
            val_dataloader=None,
            val_cfg=None,
            val_evaluator=None,
            experiment_name=name,
            launcher='none',
        )
    )
    cfg.default_hooks.checkpoint = None
    cfg.visualizer.update(name=name, vis_backends=[])
    runner = build_runner(cfg)
    runner.train()
    scalars = [runner.message_hub.get_scalar(f'train/{key}') for key in ('time', 'data_time')]
    return tuple(second_epoch(scalar) for scalar in scalars)


def second_epoch(scalar: HistoryBuffer) -> list[float]:
    """The second half of what was logged of each iteration, without its first.

    Workers begin to load when an epoch does, so its first batch is always waited for.
    """
    values = scalar.data[0].tolist()
    return values[len(values) // 2 + 1 :]


if __name__ == '__main__':
    run_tool(main)
