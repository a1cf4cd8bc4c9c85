"""Test a checkpoint: python tools/test.py configs/digits/frcnn_fp32.py work_dirs/.../best.pth."""

import json
from math import isnan
from pathlib import Path

from rich.console import Console

from mmdet_digits.cli import (
    build_runner,
    config_parser,
    find_checkpoint,
    hold_work_dir,
    load_config,
    run_tool,
    stop_on_failures,
    use_tta,
)
from mmdet_digits.engine.hooks.throughput_hook import ThroughputHook
from mmdet_digits.evaluation.annotations import read_image_ids
from mmdet_digits.evaluation.assembly_files import read_assembly
from mmdet_digits.evaluation.functional.number_assembly import assemble_numbers
from mmdet_digits.evaluation.predictions import read_predictions
from mmdet_digits.evaluation.submission import write_submission
from mmdet_digits.utils.files import check_outputs, write_file
from mmdet_digits.visualization.metrics_table import metrics_table


def parse_args():
    parser = config_parser(__doc__)
    parser.add_argument('checkpoint', help='checkpoint file (.pth or .safetensors)')
    parser.add_argument('--out', help='save the predictions to this .pkl file')
    parser.add_argument('--submission', help='save pred.json and pred.csv in this .zip file')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument(
        '--show-dir',
        help='save pictures of the predictions in this folder, a relative one is made in the new '
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
    cfg = load_config(args, splits=('test',))
    cfg.load_from = str(find_checkpoint(args.checkpoint))
    check_places(args, cfg)
    if args.show or args.show_dir:
        cfg.default_hooks.visualization.update(
            draw=True, show=args.show, wait_time=args.wait_time, test_out_dir=args.show_dir
        )
    if args.submission:
        args.out = args.out or str(Path(cfg.work_dir, 'predictions.pkl'))
    if args.out:
        cfg.test_evaluator.append(dict(type='DumpDetResults', out_file_path=args.out))
    stop_on_failures(cfg, ('test',), args.no_preflight)
    if args.tta:
        use_tta(cfg)
    with hold_work_dir(cfg, '.test.lock'):
        run(args, cfg)


def check_places(args, cfg):
    dataset = cfg.test_dataloader.dataset
    names = (dataset.get('ann_file'), dataset.get('data_prefix', {}).get('img'))
    data = [Path(dataset.get('data_root') or '', name) for name in names if name]
    files = filter(None, [args.out, args.submission])
    shown = [args.show_dir] if args.show_dir and Path(args.show_dir).is_absolute() else []
    check_outputs(files, args.overwrite, shown, [args.config, args.checkpoint, *data])
    check_outputs([Path(cfg.work_dir, 'metrics.json')], overwrite=True)


def run(args, cfg):
    runner = build_runner(cfg)
    throughput = ThroughputHook()
    runner.register_hook(throughput)
    metrics = {**runner.test(), 'images_per_second': throughput.images_per_second}

    if runner.rank == 0:
        dataset = cfg.test_dataloader.dataset
        sources = dict(
            config=args.config,
            checkpoint=args.checkpoint,
            ann_file=str(Path(dataset.data_root, dataset.ann_file)),
        )
        out = Path(cfg.work_dir, 'metrics.json')
        defined = {name: None if isnan(value) else value for name, value in metrics.items()}
        write_file(out, json.dumps({**sources, **defined}, indent=2) + '\n')
        print('{checkpoint} on {ann_file}'.format(**sources))
        Console(markup=False).print(metrics_table(metrics))
        print(f'written to {out}')
        if args.submission:
            submit(args.submission, args.out, sources['ann_file'], cfg.test_evaluator)


def submit(path, dump, ann_file, evaluators):
    assembly = next((e.get('assembly') for e in evaluators if e.type == 'NumberMetric'), None)
    predictions, image_ids = read_predictions(dump), read_image_ids(ann_file)
    detections = predictions.to_detections(image_ids, ann_file)
    numbers = assemble_numbers(detections, read_assembly(assembly or 'default')).strings
    write_submission(path, predictions, image_ids, numbers)
    print(f'written to {path}')


if __name__ == '__main__':
    run_tool(main)
