"""Read the numbers in images: python tools/predict.py CONFIG CHECKPOINT IMAGES... --out DIR.

Writes DIR/pred.json, DIR/pred.csv and DIR/images.csv (which image has which id: the number that its
file name is, or else a running number). Exit status 3: some files could not be read.
"""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

from mmdet_digits.apis.image_list import find_images, images_csv, number_images
from mmdet_digits.cli import (
    add_config_options,
    add_trust_option,
    find_checkpoint,
    load_config,
    run_tool,
)
from mmdet_digits.evaluation.assembly_files import read_assembly
from mmdet_digits.evaluation.functional.number_assembly import NO_NUMBER, assemble_numbers
from mmdet_digits.evaluation.submission import numbers_csv, predictions_json
from mmdet_digits.utils.arguments import fraction, positive
from mmdet_digits.utils.checks import first_ten
from mmdet_digits.utils.errors import InputError
from mmdet_digits.utils.files import check_outputs, write_file
from mmdet_digits.visualization.digit_pictures import (
    draw_marks,
    load_rgb,
    read_marks,
    with_caption,
)
from mmdet_digits.visualization.progress import image_progress

UNREADABLE_FILES = 3


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, e.g. configs/digits/frcnn_tiny.py')
    parser.add_argument('checkpoint', help='checkpoint file (.pth, .safetensors or .onnx)')
    parser.add_argument('images', nargs='+', help='files, folders or quoted patterns')
    parser.add_argument('--out', type=Path, required=True, help='folder for the outputs')
    parser.add_argument('--draw', action='store_true', help='also write DIR/pictures/')
    parser.add_argument(
        '--score-thr', type=fraction, default=0.05, help='lowest score in pred.json (default: 0.05)'
    )
    parser.add_argument(
        '--assembly',
        default='default',
        metavar='PRESET|FILE.json',
        help='how boxes become numbers: default, system_a, system_b, or a file',
    )
    parser.add_argument('--batch-size', type=positive, default=16, help='default: 16')
    parser.add_argument('--device', help='default: a GPU, if there is one')
    parser.add_argument('--overwrite', action='store_true', help='replace earlier outputs')
    add_config_options(parser)
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    add_trust_option(parser)
    parser.set_defaults(data_root=None, work_dir=None, launcher='none', local_rank=0)
    return parser.parse_args()


def main():
    args = parse_args()
    import mmdet_digits.register  # noqa: F401  (operators before mmdet)

    # isort: split
    from mmengine.device import get_device

    from mmdet_digits.apis.onnx_detector import OnnxDetector
    from mmdet_digits.apis.predictor import collect_predictions, load_detector

    console = Console()
    assembly = choose_assembly(args)
    paths = find_images(args.images)
    ids = number_images(paths)
    outputs = {name: args.out / name for name in ('pred.json', 'pred.csv', 'images.csv')}
    check_outputs(outputs.values(), args.overwrite, folders=[args.out / 'pictures'] * args.draw)
    cfg = load_config(args, splits=())
    checkpoint = find_checkpoint(args.checkpoint)
    if checkpoint.suffix == '.onnx':
        model = OnnxDetector(checkpoint)
    else:
        model = load_detector(cfg, checkpoint, args.device or get_device())

    results, seconds = predict(model, cfg, paths, args.batch_size, console)
    unread = {result.index: result.error for result in results if result.error}
    results = [result for result in results if not result.error]
    if not results:
        raise InputError(
            'Not one image could be read.',
            first_ten([reason.splitlines()[0].rstrip('.') for reason in unread.values()]),
            'at least one complete PNG or JPEG',
            'copy the files again',
        )
    read_paths = [paths[result.index] for result in results]
    read_ids = [ids[result.index] for result in results]
    predictions = collect_predictions(results, ids, args.score_thr, str(outputs['pred.json']))
    detections = predictions.to_detections(read_ids, 'the images')
    numbers = assemble_numbers(detections, assembly)
    write_file(outputs['pred.json'], predictions_json(predictions))
    write_file(outputs['pred.csv'], numbers_csv(read_ids, numbers.strings))
    write_file(outputs['images.csv'], images_csv(read_ids, read_paths))
    if args.draw:
        draw(args.out / 'pictures', read_paths, read_ids, detections, numbers, console)

    found = int((numbers.strings != NO_NUMBER).sum())
    print(
        f'{len(results):,} images in {seconds:.1f} s ({len(results) / seconds:.1f} images/s): '
        f'{len(predictions):,} detections, {found:,} numbers\nwritten to {args.out}'
    )
    if unread:
        lines = [f'  {reason.splitlines()[0]}' for reason in unread.values()]
        print(f'{len(unread):,} files could not be read:', *lines, sep='\n', file=sys.stderr)
        sys.exit(UNREADABLE_FILES)


def choose_assembly(args):
    assembly = read_assembly(args.assembly)
    if assembly.score_thr < args.score_thr:
        raise InputError(
            f'--score-thr {args.score_thr} would keep detections from the number assembly.\n'
            f'  found:    --assembly {args.assembly} reads scores from {assembly.score_thr}\n'
            '  expected: a --score-thr that is not higher\n'
            f'  fix: --score-thr {assembly.score_thr}'
        )
    return assembly


def predict(model, cfg, paths, batch_size, console):
    from mmdet_digits.apis.predictor import predict_images

    start, results = time.perf_counter(), []
    with image_progress(console) as progress:
        task = progress.add_task('predict', total=len(paths))
        for batch in predict_images(model, cfg, paths, batch_size):
            results += batch
            progress.advance(task, len(batch))
    results.sort(key=lambda result: result.index)
    return results, time.perf_counter() - start


def draw(folder, paths, ids, detections, numbers, console):
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob('*.png'):  # only --overwrite gets here with any
        old.unlink()
    with image_progress(console) as progress:
        for image, path in enumerate(progress.track(paths, description='draw')):
            picture = draw_marks(load_rgb(path), read_marks(detections, numbers, image))
            number = numbers.strings[image]
            text = (
                f'{number}   confidence {numbers.confidences[image]:.2f}'
                if number != NO_NUMBER
                else 'no number'
            )
            with_caption(picture, text).save(folder / f'{ids[image]}.png')


if __name__ == '__main__':
    run_tool(main)
