"""Put data where the configs look for it: draw synthetic scenes, link real ones, widen them."""

import argparse
import shlex
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table

from mmdet_digits.boxes import corners
from mmdet_digits.cli import add_ignore_classes, run_tool
from mmdet_digits.coco.folders import SPLITS
from mmdet_digits.converters.linking import LinkedSplit, link_dataset
from mmdet_digits.converters.wider_set import write_wider_set
from mmdet_digits.errors import Interrupted
from mmdet_digits.files import check_outputs, check_writable, write_image
from mmdet_digits.progress import image_progress
from mmdet_digits.repository import REPOSITORY, tool_command
from mmdet_digits.synthetic import DatasetSpec, Scene, SceneSource, load_supplies, write_dataset
from mmdet_digits.synthetic.parameters import LOOKS
from mmdet_digits.synthetic.sources import INGREDIENTS, all_but
from mmdet_digits.synthetic.writer import SplitSummary, draw_image
from mmdet_digits.visualization.digit_pictures import TRUE, Mark, contact_sheet, draw_marks

DEFAULT_OUT = Path('data/digits')
CONFIG = 'configs/digits/frcnn_tiny.py'
NO_TEST_LABELS = """There are no test labels; to measure, take those of valid:
  {test} {config} CHECKPOINT{root} --cfg-options \\
    test_dataloader.dataset.ann_file=valid.json test_dataloader.dataset.data_prefix.img=valid/ \\
    test_evaluator.0.ann_file={valid}"""
PREDICT_ONLY = """On the images of test/, without labels, it predicts:
  {test} {config} CHECKPOINT{root} --submission submission.zip"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    draw = commands.add_parser('synthetic', help='draw multi-digit scenes in the HW2 format')
    draw.add_argument('--out', type=Path, default=DEFAULT_OUT, help='default: %(default)s')
    for split, count in (('train', 2000), ('valid', 200), ('test', 200)):
        text = f'images in {split}/ (default: {count})'
        draw.add_argument(f'--{split}', type=int, default=count, metavar='N', help=text)
    draw.add_argument('--seed', type=int, default=0, metavar='N', help='same seed, same bytes')
    draw.add_argument(
        '--look', choices=LOOKS, default='street', help='as hard to read as SVHN, or easy'
    )
    draw.add_argument('--workers', type=int, metavar='N', help='processes (default: one per CPU)')
    draw.add_argument('--overwrite', action='store_true', help='replace what an earlier run drew')
    draw.add_argument('--contact-sheet', type=Path, metavar='FILE', help='PNG of the first images')
    draw.add_argument('--boxes', action='store_true', help='draw boxes on the contact sheet')
    add_source_options(draw)
    link = commands.add_parser('link', help='link a folder that has the HW2 format')
    link.add_argument('source', type=Path, metavar='SRC', help='holds train/ and train.json')
    link.add_argument('--out', type=Path, default=DEFAULT_OUT, help='default: %(default)s')
    for split in ('valid', 'test'):
        text = f'take so many images of train, or this fraction (0.1), as {split}, at random'
        link.add_argument(f'--{split}', metavar='N|FRACTION', help=text)
    link.add_argument('--seed', type=int, default=0, metavar='N', help='same seed, same split')
    add_ignore_classes(link)
    loose = commands.add_parser('loose', help='a test set in wider scenes, made of a split')
    loose.add_argument('source', type=Path, metavar='SRC', help='holds valid/ and valid.json')
    loose.add_argument('--out', type=Path, required=True, help='for test/ and test.json')
    loose.add_argument('--split', choices=SPLITS, default='valid', help='default: valid')
    loose.add_argument('--variants', type=int, default=3, metavar='N', help='scenes of each image')
    loose.add_argument(
        '--share',
        type=float,
        nargs=2,
        default=(0.35, 1.0),
        metavar=('LOW', 'HIGH'),
        help="heights of images as shares of their scenes' (default: 0.35 1)",
    )
    loose.add_argument('--seed', type=int, default=0, metavar='N', help='same seed, same bytes')
    for command in (draw, link, loose):
        command.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add what `read_source` reads."""
    group = parser.add_argument_group('what the scenes are made from, instead of what comes along')
    for name, metavar, text in (
        (
            'glyphs',
            'PATH',
            "handwriting: mnist.npz, MNIST's files in a folder, or folders 0/ to 9/",
        ),
        ('fonts', 'FOLDER', 'TrueType and OpenType fonts'),
        ('backgrounds', 'FOLDER', 'photographs without digits, cropped at random as the wall'),
        (
            'layouts',
            'FILE',
            'COCO .json or .json.gz: sizes, boxes and numbers of real images',
        ),
        ('box-style', 'FILE', 'how loose the boxes are: of tools/analysis_tools/box_style.py'),
    ):
        group.add_argument(f'--{name}', metavar=metavar, help=text)
    names = ', '.join(INGREDIENTS)
    choice = group.add_mutually_exclusive_group()
    common = dict(nargs='+', action='extend', choices=INGREDIENTS, metavar='NAME')
    choice.add_argument('--without', **common, help=f'leave out ingredients: {names}')
    choice.add_argument('--only', **common, help='leave out all others')


def read_source(args: argparse.Namespace) -> SceneSource:
    """What the scenes are to be made from, by the command line."""
    without = all_but(args.only) if args.only else args.without or ()
    files = (args.glyphs, args.fonts, args.backgrounds, args.layouts, args.box_style)
    return SceneSource(*files, without=tuple(without))


def run_synthetic(args: argparse.Namespace, console: Console) -> None:
    """Draw the dataset and say what was written."""
    source = read_source(args)
    spec = DatasetSpec(args.train, args.valid, args.test, args.seed, args.look, source)
    inputs = (args.glyphs, args.fonts, args.backgrounds, args.layouts, args.box_style)
    check_outputs(filter(None, [args.contact_sheet]), args.overwrite, inputs=inputs)
    progress = image_progress(console)
    tasks = {}

    def advance(split: str, count: int) -> None:
        progress.start()
        if split not in tasks:
            tasks[split] = progress.add_task(split, total=spec.counts[split])
        progress.advance(tasks[split], count)

    try:
        summaries = write_dataset(args.out, spec, args.workers, args.overwrite, advance)
    finally:
        progress.stop()
    for note in load_supplies(source).notes:
        console.print(note, soft_wrap=True)
    if summaries is None:
        console.print(f'{args.out}: already there, complete, with the same values.', soft_wrap=True)
    else:
        console.print(summary_table(summaries))
    if args.contact_sheet:
        split = next(name for name, count in spec.counts.items() if count)
        count = min(100, spec.counts[split])
        scenes = [draw_image(spec, split, index) for index in range(1, count + 1)]
        pictures = [scene_picture(scene, args.boxes) for scene in scenes]
        write_image(args.contact_sheet, contact_sheet(pictures, columns=10))
        console.print(f'Contact sheet: {args.contact_sheet}', soft_wrap=True)
    console.print(f'Next: {next_command(args.out)}', soft_wrap=True)


def run_link(args: argparse.Namespace, console: Console) -> None:
    """Link the dataset and say what stands now."""
    check_writable(args.out.parent)
    parts = {'valid': args.valid, 'test': args.test}
    splits, notes = link_dataset(args.source, args.out, parts, args.seed, args.ignore_classes)
    console.print(f'{args.out} links to {args.source}:', soft_wrap=True)
    console.print(link_table(splits))
    for note in notes:
        console.print(note, soft_wrap=True)
    if not any(s.split == 'test' and s.boxes is not None for s in splits):
        valid = shlex.quote(str((args.out / 'valid.json').absolute()))
        values = dict(test=tool_command('test'), config=CONFIG, root=root_option(args.out))
        console.print(NO_TEST_LABELS.format(**values, valid=valid), soft_wrap=True)
        if any(s.split == 'test' for s in splits):
            console.print(PREDICT_ONLY.format(**values), soft_wrap=True)
    console.print(f'Next: {next_command(args.out)}', soft_wrap=True)


def run_loose(args: argparse.Namespace, console: Console) -> None:
    """Put the images of a split into wider scenes."""
    with image_progress(console) as progress:
        written = write_wider_set(
            args.source,
            args.out,
            args.split,
            args.variants,
            tuple(args.share),
            args.seed,
            lambda images: progress.track(images, description='widen'),
        )
    console.print(link_table([written]))
    command = f'{tool_command("test")} CONFIG CHECKPOINT{root_option(args.out)}'
    console.print(f'Next: {command}', soft_wrap=True)


def scene_picture(scene: Scene, with_boxes: bool) -> Image.Image:
    """A picture of a scene, as large as a cell of the contact sheet."""
    boxes = zip(corners(scene.bboxes), scene.digits, strict=True) if with_boxes else ()
    marks = [Mark(bbox, digit, TRUE) for bbox, digit in boxes]
    return draw_marks(scene.image[..., ::-1], marks, size=(150, 100))


def next_command(out: Path) -> str:
    """The command that trains on the data."""
    return f'{tool_command("train")} {CONFIG}{root_option(out)}'


def root_option(out: Path) -> str:
    """How to tell a tool where the data is, if that is not where the configs look."""
    if out.absolute() == REPOSITORY / DEFAULT_OUT:
        return ''
    return f' --data-root {shlex.quote(str(out))}'


def link_table(splits: list[LinkedSplit]) -> Table:
    """One row per split."""
    table = Table('split', 'images', 'digits', 'linked from')
    for s in splits:
        boxes = 'no labels' if s.boxes is None else f'{s.boxes:,}'
        table.add_row(s.split, f'{s.images:,}', boxes, s.origin)
    return table


def summary_table(summaries: list[SplitSummary]) -> Table:
    """One row per split."""
    table = Table('split', 'images', 'digits', 'numbers by length', 'seconds', 'images/s')
    for s in summaries:
        lengths = ' '.join(f'{length}:{count}' for length, count in s.lengths.items())
        rate = f'{s.images / s.seconds:.0f}' if s.images else '-'
        row = (s.split, str(s.images), str(s.digits), lengths, f'{s.seconds:.1f}', rate)
        table.add_row(*row)
    return table


RUN = {'synthetic': run_synthetic, 'link': run_link, 'loose': run_loose}


def main() -> None:
    """Draw or link."""
    args = parse_args()
    console = Console(markup=False)
    try:
        RUN[args.command](args, console)
    except KeyboardInterrupt as stop:
        left = {
            'synthetic': 'the folder is marked as unfinished; run it again.',
            'link': 'nothing was linked.',
            'loose': 'nothing was written.',
        }
        raise Interrupted(f'Interrupted: {left[args.command]}', 130) from stop


if __name__ == '__main__':
    run_tool(main)
