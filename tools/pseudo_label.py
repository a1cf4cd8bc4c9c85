"""Give images boxes to train on: python tools/pseudo_label.py CONFIG CHECKPOINT IMAGES... -o JSON.

--numbers numbers.csv says what number is in each image. An image is kept if the detector reads that
number, or if some of its detections spell it, in order of their left edges and not too much over
each other; what spells it with the best scores is taken.

Without --numbers an image is kept if its number is read with --min-confidence; the table of
tools/analysis_tools/tune_assembly.py says how often such numbers are right.

Writes a COCO file like train.json, with the score of each box as "score", and prints what became of
the images. The boxes are as close as that detector draws them. Look at some by --sheet.
Exit status 3: some files could not be read.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mmdet_digits.assembly.number_assembly import assemble_numbers
from mmdet_digits.assembly.spelling import Choice, Verdict, choose_confident, choose_digits
from mmdet_digits.cli import (
    fraction,
    positive,
    prediction_parser,
    report_failed_files,
    run_tool,
)
from mmdet_digits.coco.files import count_coco, write_json
from mmdet_digits.converters.command_line import say, summary_table
from mmdet_digits.converters.image_sizes import ImageSizes
from mmdet_digits.converters.numbers import numbers_of
from mmdet_digits.converters.records import DigitRecord, build_coco
from mmdet_digits.deploy.image_list import check_apart, find_images, names_below
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.assembly_files import assembly_for
from mmdet_digits.files import check_outputs, write_image
from mmdet_digits.visualization.digit_pictures import (
    READ,
    Mark,
    contact_sheet,
    draw_marks,
    load_rgb,
    with_caption,
)

COLUMNS = 5
TILE = (320, 120)  # pixels, width and height of an image on the sheet


def parse_args():
    parser = prediction_parser(__doc__)
    parser.add_argument('-o', '--out', type=Path, required=True, metavar='JSON', help='to write')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--numbers', metavar='CSV', help='columns file_name (or image_id), number')
    source.add_argument(
        '--min-confidence',
        type=fraction,
        metavar='C',
        help='keep what is read with this confidence, the product of the scores of its digits',
    )
    parser.add_argument(
        '--min-score',
        type=fraction,
        default=0.3,
        metavar='S',
        help='keep no image with a digit of a lower score (default: 0.3)',
    )
    parser.add_argument(
        '--sheet', type=Path, metavar='PNG', help='a picture of some kept images, by their trust'
    )
    parser.add_argument(
        '--sheet-images', type=positive, default=60, metavar='N', help='default: 60'
    )
    return parser.parse_args()


def main():
    args = parse_args()
    import mmdet_digits.register  # noqa: F401  (operators before mmdet)

    # isort: split
    from mmdet_digits.launching import load_config

    console, paths = Console(markup=False), find_images(args.images)
    outputs = [path for path in (args.out, args.sheet) if path]
    check_outputs(outputs, args.overwrite, inputs=[args.numbers, args.checkpoint])
    check_apart(paths, outputs)
    given, unused = numbers_of(paths, args.numbers) if args.numbers else (None, 0)
    cfg = load_config(args, splits=())
    assembly, said = assembly_for(cfg, args.config, args.assembly)
    results, detections = detect(args, cfg, paths, console)
    choices = choose(args, results, detections, assembly, given)
    console.print(verdict_table(choices))
    kept = [index for index, choice in enumerate(choices) if choice.verdict.kept]
    if not kept:
        raise nothing_kept(args, choices)
    folder, names = names_below(paths)
    records = [record(names[i], detections, choices[i].digits) for i in kept]
    coco = build_coco(records, ImageSizes(folder)).coco
    write_json(args.out, coco, args.overwrite)
    if args.sheet:
        by_trust = sorted(kept, key=lambda i: trust(detections, choices[i]))
        shown = evenly(by_trust, args.sheet_images)
        tiles = [tile(paths[i], detections, choices[i], args.max_pixels) for i in shown]
        write_image(args.sheet, contact_sheet(tiles, COLUMNS))
    console.print(summary_table({args.out: count_coco(coco, args.out)}))
    say(console, remarks(args, said, unused, folder))
    return report_failed_files([result.error for result in results if result.error])


def detect(args, cfg, paths, console):
    from mmdet_digits.deploy.predictor import collect_predictions, open_detector, predict_files
    from mmdet_digits.launching import find_checkpoint

    model = open_detector(cfg, find_checkpoint(args.checkpoint), args.device)
    results = predict_files(model, cfg, paths, args.batch_size, args.max_pixels, console)
    ids = range(len(paths))
    predictions = collect_predictions(results, ids, 0, str(args.out))
    return results, predictions.to_detections(ids, 'the images')


def choose(args, results, detections, assembly, given):
    """What becomes of each image: of its number if one is given, or else of what is read."""
    numbers = assemble_numbers(detections, assembly)
    if given is None:
        choices = choose_confident(detections, numbers, args.min_confidence, args.min_score)
    else:
        choices = choose_digits(detections, numbers, given, args.min_score)
    return [
        Choice(Verdict.UNREADABLE) if result.error else choice
        for result, choice in zip(results, choices, strict=True)
    ]


def verdict_table(choices):
    table = Table('images')
    for _ in range(2):
        table.add_column(justify='right')
    counts = Counter(choice.verdict for choice in choices)
    for verdict in Verdict:
        if counts[verdict] or verdict.kept:
            share = f'{100 * counts[verdict] / len(choices):.1f} %'
            table.add_row(verdict.value, f'{counts[verdict]:,}', share)
    table.add_section()
    table.add_row('all', f'{len(choices):,}', '')
    return table


def nothing_kept(args, choices):
    found = ', '.join(f'{n:,} {v.value}' for v, n in Counter(c.verdict for c in choices).items())
    return InputError(
        f'{args.out}: not one image would be in it; nothing was written.',
        found,
        'numbers that the detector can find in the images',
        'give the numbers of these images and a detector that reads most, or a lower --min-score',
    )


def record(name, detections, digits):
    """The chosen digits of an image, as the converters have those of other formats."""
    bboxes = detections.bboxes[digits].copy()
    bboxes[:, 2:] -= bboxes[:, :2]
    scores = detections.scores[digits]
    return DigitRecord(name.as_posix(), bboxes, detections.labels[digits], str(name), scores=scores)


def trust(detections, choice):
    """The lowest score of the chosen digits."""
    return detections.scores[choice.digits].min()


def evenly(items, count):
    """So many of the items, from the first to the last in equal steps."""
    steps = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[step] for step in steps]


def tile(path, detections, choice, max_pixels):
    labels = detections.labels[choice.digits].astype(str)
    bboxes = detections.bboxes[choice.digits]
    marks = [Mark(bbox, label, READ) for bbox, label in zip(bboxes, labels, strict=True)]
    how = 'read' if choice.verdict is Verdict.AS_READ else 'spelled'
    picture = draw_marks(load_rgb(path, max_pixels), marks, TILE)
    caption = f'{path.name}: {"".join(labels)}, {how}, {trust(detections, choice):.2f}'
    return with_caption(picture, caption)


def remarks(args, said, unused, folder):
    lines = [f'assembly: {said}']
    if unused:
        lines.append(f'{args.numbers}: {unused:,} rows name none of the images.')
    lines.append(f'written to {args.out}; its names are those of files in {folder}')
    if args.sheet:
        lines.append(
            f'{args.sheet} shows kept images, from the lowest score of a digit to the highest'
        )
    return lines


if __name__ == '__main__':
    run_tool(main)
