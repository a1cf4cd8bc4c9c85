"""Test a checkpoint: python tools/test.py configs/digits/frcnn_fp32.py work_dirs/.../best.pth.

Writes metrics.json, numbers.csv (each number with its confidence), predictions.pkl and pred.json
into the work dir, and beside the predictions the number assembly of the config.
"""

import argparse
import json
import os
from math import isnan
from pathlib import Path

from rich.console import Console

from mmdet_digits.assembly.number_assembly import assemble_numbers
from mmdet_digits.cli import config_parser, run_tool
from mmdet_digits.deploy.unlabelled_images import list_unlabelled_images
from mmdet_digits.evaluation.assembly_files import (
    assembly_file,
    assembly_of,
    describe_assembly,
    write_assembly_beside,
)
from mmdet_digits.evaluation.evaluators import add_metric
from mmdet_digits.evaluation.predictions import read_predictions
from mmdet_digits.evaluation.submission import numbers_table, predictions_json, write_submission
from mmdet_digits.files import check_outputs, write_file
from mmdet_digits.visualization.metrics_table import metrics_table


def parse_args():
    parser = config_parser(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument('checkpoint', help='checkpoint file (.pth or .safetensors)')
    parser.add_argument('--out', help='save the predictions to this .pkl file instead')
    parser.add_argument('--submission', help='save pred.json and pred.csv in this .zip file')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument(
        '--show-dir',
        help='save pictures of the predictions in this folder; a relative one is made in the new '
        'folder of the run',
    )
    parser.add_argument('--wait-time', type=float, default=2, help='seconds per picture of --show')
    parser.add_argument('--overwrite', action='store_true', help='replace earlier outputs')
    parser.add_argument('--tta', action='store_true', help='merge predictions at several scales')
    args = parser.parse_args()
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f'--out {args.out}: expected a name that ends in .pkl')
    return args


def main():
    args = parse_args()
    from mmdet_digits.launching import (
        find_checkpoint,
        hold_work_dir,
        load_config,
        stop_on_failures,
        use_tta,
    )

    cfg = load_config(args, splits=('test',))
    cfg.load_from = str(find_checkpoint(args.checkpoint))
    check_places(args, cfg)
    assembly = assembly_of(cfg)
    unlabelled = list_unlabelled_images(cfg)
    if args.show or args.show_dir:
        cfg.default_hooks.visualization.update(
            draw=True, show=args.show, wait_time=args.wait_time, test_out_dir=args.show_dir
        )
    args.out = args.out or str(Path(cfg.work_dir, 'predictions.pkl'))
    add_metric(cfg, dict(type='DumpDetResults', out_file_path=args.out))
    stop_on_failures(cfg, () if unlabelled else ('test',), args.no_preflight)
    if args.tta:
        use_tta(cfg)
    with hold_work_dir(cfg, '.test.lock'):
        run(args, cfg, assembly)


def check_places(args, cfg):
    dataset = cfg.test_dataloader.dataset
    names = (dataset.get('ann_file'), dataset.get('data_prefix', {}).get('img'))
    data = [Path(dataset.get('data_root') or '', name) for name in names if name]
    files = [args.out, assembly_file(args.out)] if args.out else []
    files += [args.submission] if args.submission else []
    shown = [args.show_dir] if args.show_dir and Path(args.show_dir).is_absolute() else []
    check_outputs(files, args.overwrite, shown, [args.config, args.checkpoint, *data])
    own = ('predictions.pkl', 'pred.json', 'numbers.csv', 'metrics.json')
    check_outputs([Path(cfg.work_dir, name) for name in own], overwrite=True)


def run(args, cfg, assembly):
    from mmdet_digits.engine.hooks.throughput_hook import ThroughputHook
    from mmdet_digits.launching import build_runner

    runner = build_runner(cfg)
    throughput = ThroughputHook()
    runner.register_hook(throughput)
    metrics = {**runner.test(), 'images_per_second': throughput.images_per_second}
    if runner.rank:
        return
    dataset = cfg.test_dataloader.dataset
    sources = dict(
        config=args.config,
        checkpoint=args.checkpoint,
        ann_file=str(Path(dataset.data_root, dataset.ann_file)),
        assembly=describe_assembly(assembly),
    )
    defined = {name: None if isnan(value) else value for name, value in metrics.items()}
    write_file(
        Path(cfg.work_dir, 'metrics.json'), json.dumps({**sources, **defined}, indent=2) + '\n'
    )
    print('{checkpoint} on {ann_file}, number assembly: {assembly}'.format(**sources))
    Console(markup=False).print(metrics_table(metrics))
    save_numbers(runner.test_loop.dataloader.dataset, assembly, args, cfg.work_dir)
    print(f'written to {cfg.work_dir}: metrics.json, numbers.csv, pred.json')


def save_numbers(dataset, assembly, args, folder):
    """Write what was found, and the numbers made of it."""
    images = [dataset.get_data_info(image) for image in range(len(dataset))]
    image_ids = [image['img_id'] for image in images]
    names = [os.path.relpath(image['img_path'], dataset.data_prefix['img']) for image in images]
    predictions = read_predictions(args.out, may_be_empty=True)
    detections = predictions.to_detections(image_ids, 'the images of the test')
    numbers = assemble_numbers(detections, assembly)
    pred = Path(folder, 'pred.json')
    write_file(pred, predictions_json(predictions))
    write_file(Path(folder, 'numbers.csv'), numbers_table(image_ids, names, detections, numbers))
    for path in (args.out, pred):
        write_assembly_beside(path, assembly)
    if args.submission:
        write_submission(args.submission, predictions, image_ids, numbers.strings)
        print(f'written to {args.submission}')


if __name__ == '__main__':
    run_tool(main)
