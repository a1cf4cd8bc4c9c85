"""Read the numbers in images: python tools/predict.py CONFIG CHECKPOINT IMAGES... --out DIR.

Each image should be one close crop of one number. In a photo of a whole street the digits become
too small to be read, and numbers side by side become one.

Writes into DIR:
  pred.json    every detection, as HW2 asks: bbox [x, y, w, h] in pixels of the image as it is
               shown, so turned as its EXIF tag says. pred.assembly.json beside it says how
               they become numbers, for evaluate.py and others
  pred.csv     image_id,pred_label: -1 without a number, also where the image cannot be read
  numbers.csv  the same with file name, confidence, and scores and boxes [x1, y1, x2, y2] of digits
  pictures/    with --draw: the images with their boxes, under the names that they have

An image's id is the number that its file name is; unless all are such numbers and differ, ids are
1, 2, ... in the order of the names. Exit status 3: some files could not be read or drawn.
"""

import sys
import time
from pathlib import Path

from rich.console import Console

from mmdet_digits.assembly.number_assembly import NO_NUMBER, assemble_numbers
from mmdet_digits.cli import fraction, prediction_parser, report_failed_files, run_tool
from mmdet_digits.coco.files import number_images
from mmdet_digits.deploy.image_list import (
    check_apart,
    find_images,
    listed_name,
    picture_names,
)
from mmdet_digits.errors import InputError, RunError, failure_line
from mmdet_digits.evaluation.assembly_files import (
    assembly_file,
    assembly_for,
    write_assembly_beside,
)
from mmdet_digits.evaluation.submission import (
    numbers_csv,
    numbers_table,
    predictions_json,
)
from mmdet_digits.files import check_outputs, held_folder, write_file, write_image
from mmdet_digits.progress import image_progress
from mmdet_digits.visualization.digit_pictures import (
    draw_marks,
    load_rgb,
    read_marks,
    with_caption,
)

MOST_REDUCED = 8


def parse_args():
    parser = prediction_parser(__doc__)
    parser.add_argument('--out', type=Path, required=True, help='folder for the outputs')
    parser.add_argument('--draw', action='store_true', help='also write DIR/pictures/')
    parser.add_argument(
        '--score-thr', type=fraction, default=0.05, help='lowest score in pred.json (default: 0.05)'
    )
    return parser.parse_args()


def main():
    args = parse_args()
    import mmdet_digits.register  # noqa: F401  (operators before mmdet)

    # isort: split
    from mmdet_digits.launching import load_config

    paths = find_images(args.images)
    outputs = {name: args.out / name for name in ('pred.json', 'pred.csv', 'numbers.csv')}
    files = [*outputs.values(), assembly_file(outputs['pred.json'])]
    pictures = args.out / 'pictures'
    check_outputs(files, args.overwrite, folders=[pictures] * args.draw)
    check_apart(paths, files, pictures)
    cfg = load_config(args, splits=())
    assembly, said = assembly_for(cfg, args.config, args.assembly)
    check_score_thr(args, assembly)
    with held_folder(args.out):
        results, failures = run(args, cfg, paths, outputs, assembly, pictures)
    print(f'assembly: {said}\nwritten to {args.out}')
    warn_of_large_images(results, paths)
    return report_failed_files([failures[index] for index in sorted(failures)], 'read or drawn')


def run(args, cfg, paths, outputs, assembly, pictures):
    """Predict, write, draw; return the results and what went wrong, by the index of the image."""
    from mmdet_digits.deploy.predictor import collect_predictions, open_detector, predict_files
    from mmdet_digits.launching import find_checkpoint

    console, ids = Console(markup=False), number_images(paths)
    model = open_detector(cfg, find_checkpoint(args.checkpoint), args.device)
    start = time.perf_counter()
    results = predict_files(model, cfg, paths, args.batch_size, args.max_pixels, console)
    seconds = time.perf_counter() - start
    failures = {result.index: result.error for result in results if result.error}
    predictions = collect_predictions(results, ids, args.score_thr, str(outputs['pred.json']))
    detections = predictions.to_detections(ids, 'the images')
    numbers = assemble_numbers(detections, assembly)
    names = [listed_name(path) for path in paths]
    write_file(outputs['pred.json'], predictions_json(predictions))
    write_assembly_beside(outputs['pred.json'], assembly)
    write_file(outputs['pred.csv'], numbers_csv(ids, numbers.strings))
    write_file(outputs['numbers.csv'], numbers_table(ids, names, detections, numbers))
    read, found = len(paths) - len(failures), int((numbers.strings != NO_NUMBER).sum())
    if args.draw:
        failures |= draw(pictures, paths, set(failures), detections, numbers, args, console)
    print(
        f'{read:,} images in {seconds:.1f} s ({read / seconds:.1f} images/s): '
        f'{len(predictions):,} detections, {found:,} numbers'
    )
    return results, failures


def warn_of_large_images(results, paths):
    large = [paths[result.index] for result in results if result.scale < 1 / MOST_REDUCED]
    if large:
        print(
            f'{len(large):,} of {len(paths):,} images are over {MOST_REDUCED} times larger than '
            f'what the model sees (e.g. {large[0]}): small digits are lost. Crop each number.',
            file=sys.stderr,
        )


def check_score_thr(args, assembly):
    """Stop where detections would be missing that the number assembly reads."""
    source = f'--assembly {args.assembly}' if args.assembly else args.config
    if assembly.score_thr < args.score_thr:
        raise InputError(
            f'--score-thr {args.score_thr} would keep detections from the number assembly.',
            f'{source} reads scores from {assembly.score_thr}',
            'a --score-thr that is not higher',
            f'--score-thr {assembly.score_thr}',
        )


def draw(folder, paths, unread, detections, numbers, args, console):
    """Draw every image that was read; return what went wrong, by the index of the image."""
    names, failures = picture_names(paths), {}
    earlier = {path for path in folder.rglob('*') if path.is_file()}
    with image_progress(console) as progress:
        for image, path in enumerate(progress.track(paths, description='draw')):
            if image in unread:
                continue
            try:
                picture = draw_marks(
                    load_rgb(path, args.max_pixels), read_marks(detections, numbers, image)
                )
                picture = with_caption(picture, caption(numbers, image))
                write_image(folder / names[image], picture)
                earlier.discard(folder / names[image])
            except RunError:  # a full disk, for this picture and the next
                raise
            except Exception as error:  # whatever is wrong with one image, the others are drawn
                failures[image] = failure_line(path, error, 'cannot be drawn')
    if earlier:
        print(f'left in {folder} from before: {len(earlier):,} other files')
    return failures


def caption(numbers, image):
    if numbers.strings[image] == NO_NUMBER:
        return 'no number'
    return f'{numbers.strings[image]}   confidence {numbers.confidences[image]:.2f}'


if __name__ == '__main__':
    run_tool(main)
