"""What the command lines of the converters share."""

import argparse
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mmdet_digits.cli import name_list
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.coco.files import (
    CocoCounts,
    count_coco,
    num_images,
    split_coco,
    write_json,
)
from mmdet_digits.converters.image_sizes import ImageSizes, read_sizes
from mmdet_digits.converters.records import (
    Conversion,
    DigitRecords,
    build_coco,
    digit_of,
    shown,
)
from mmdet_digits.errors import InputError
from mmdet_digits.files import check_folder, check_outputs, image_files
from mmdet_digits.progress import image_progress
from mmdet_digits.repository import tool_command


def converter_parser(
    description: str, one_based: bool = False, names: bool = False
) -> argparse.ArgumentParser:
    """A parser with the arguments of every converter but its input.

    Args:
        description: what the converter does.
        one_based: whether pixels of the format count from 1.
        names: whether its boxes have classes by name, which may be no digits.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('-o', '--out', type=Path, required=True, metavar='JSON', help='to write')
    parser.add_argument(
        '--sizes',
        type=Path,
        metavar='JSON',
        help='take the sizes of the images from a COCO file or {"1.png": [width, height]} instead '
        'of opening each image',
    )
    if one_based:
        parser.add_argument(
            '--keep-one-based',
            dest='offset',
            action='store_const',
            const=0,
            default=1,
            help='leave coordinates as they are, with the first pixel 1 (default: subtract 1, as '
            'COCO counts from 0)',
        )
    if names:
        parser.add_argument(
            '--ignore-classes',
            type=class_list,
            default=[],
            metavar='A,B',
            help='leave out the boxes of these classes, which are no digits',
        )
    parser.add_argument(
        '--keep-outside',
        action='store_true',
        help='leave boxes as they are that cross the edge of their image (default: cut them)',
    )
    parser.add_argument(
        '--split',
        metavar='N|FRACTION',
        help='take so many images, or this fraction (0.1), at random, for --valid-out',
    )
    parser.add_argument('--seed', type=int, default=0, metavar='N', help='same seed, same split')
    parser.add_argument(
        '--valid-out', type=Path, metavar='JSON', help='default: valid.json beside --out'
    )
    parser.add_argument('--skip-bad', action='store_true', help='leave wrong records out, listed')
    parser.add_argument('--overwrite', action='store_true', help='replace files that exist')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser


def class_list(text: str) -> list[str]:
    """Names of classes that are no digits."""
    names = name_list(text)
    digits = [name for name in names if digit_of(name) is not None]
    if digits:
        raise argparse.ArgumentTypeError(f'{", ".join(digits)}: a digit, which cannot be left out')
    return names


def image_sizes(args: argparse.Namespace, images: Path | None) -> ImageSizes:
    """Where sizes come from: ``--sizes`` if given, otherwise the folder of images if given.

    Raises:
        InputError: what was given is not there.
    """
    if args.sizes is not None:
        return ImageSizes(images, read_sizes(args.sizes))
    if images is not None:
        check_folder(images, 'the folder of the images, by --images')
    return ImageSizes(images)


def convert(
    args: argparse.Namespace,
    open_records: Callable[[], DigitRecords],
    sizes: ImageSizes | None = None,
) -> None:
    """Convert, write and say what was written.

    Args:
        args: arguments of :func:`converter_parser`.
        open_records: opens the input; called after the outputs were checked.
        sizes: finds the sizes of the images; default: by ``--sizes`` or ``--images``.

    Raises:
        InputError: an argument or a record is wrong; nothing is written then.
    """
    sizes = sizes or image_sizes(args, args.images)
    outputs = output_paths(args)
    given = {name: value for name, value in vars(args).items() if isinstance(value, Path)}
    inputs = [value for name, value in given.items() if name not in ('out', 'valid_out')]
    check_outputs(outputs.values(), args.overwrite, inputs=inputs)
    console = Console(markup=False)
    records = open_records()
    if args.split:
        num_images(args.split, len(records))  # a wrong amount is told at once
    conversion = read_records(args, records, sizes, console)
    parts = {'train': conversion.coco}
    if args.split:
        count = num_images(args.split, len(conversion.coco['images']))
        parts = split_coco(conversion.coco, {'valid': count}, args.seed)
    counts = {outputs[s]: count_coco(part, outputs[s]) for s, part in parts.items()}
    for split, part in parts.items():
        write_json(outputs[split], part, args.overwrite)
    console.print(summary_table(counts))
    say(console, [*remarks(args, records, conversion, sizes), next_step(args)])


def say(console: Console, lines: Iterable[str]) -> None:
    """Print lines, with names that are no UTF-8 by their bytes."""
    for line in lines:
        text = line.encode(errors='backslashreplace').decode()
        console.print(text, soft_wrap=True)


def read_records(
    args: argparse.Namespace,
    records: DigitRecords,
    sizes: ImageSizes,
    console: Console,
    what: str = 'images',
) -> Conversion:
    """Convert records as the command line asks, with a progress bar.

    Raises:
        InputError: as `build_coco`.
    """

    def progress(indices: Iterable[int]) -> Iterable[int]:
        with image_progress(console) as bar:
            yield from bar.track(indices, description=what)

    return build_coco(
        records,
        sizes,
        not args.keep_outside,
        args.skip_bad,
        progress,
        getattr(args, 'ignore_classes', ()),
    )


def output_paths(args: argparse.Namespace) -> dict[str, Path]:
    """The file to write per split.

    Raises:
        InputError: both splits would be the same file, or there is no second one.
    """
    if not args.split:
        if args.valid_out:
            raise InputError(
                f'--valid-out {args.valid_out}: there is nothing to write to it.',
                'no --split',
                '--split, which says how many images go there',
                'add --split 0.1, or leave --valid-out out',
            )
        return {'train': args.out}
    valid = args.valid_out or args.out.with_name('valid.json')
    if valid.absolute() == args.out.absolute():
        raise InputError(
            f'--out and --valid-out are both {valid}.',
            'one file for two splits',
            'two files',
            'give --valid-out another name',
        )
    return {'train': args.out, 'valid': valid}


def summary_table(counts: dict[Path, CocoCounts]) -> Table:
    """Images, boxes, boxes of each digit and images by number of digits; a column per file."""
    table = Table('')
    names = [path.name for path in counts]
    for path, name in zip(counts, names, strict=True):
        table.add_column(name if names.count(name) == 1 else str(path), justify='right')
    columns = list(counts.values())

    def add(name: str, values: Iterable[int], last: bool = False) -> None:
        table.add_row(name, *(f'{value:,}' for value in values), end_section=last)

    add('images', (count.images for count in columns))
    add('boxes', (count.boxes for count in columns), last=True)
    for label, name in enumerate(DIGITS):
        add(f'digit {name}', (count.digits[label] for count in columns), name == DIGITS[-1])
    for length in sorted({length for count in columns for length in count.lengths}):
        name = f'images with {length} digit{"" if length == 1 else "s"}'
        add(name, (count.lengths.get(length, 0) for count in columns))
    return table


def remarks(
    args: argparse.Namespace,
    records: DigitRecords,
    conversion: Conversion,
    sizes: ImageSizes,
) -> list[str]:
    """What was changed or left out."""
    lines = list(records.notes(conversion.others))
    left = [f'{shown(name)} ({count:,})' for name, count in conversion.others.most_common()]
    if left:
        lines.append(f'Boxes left out, of classes that are no digits: {", ".join(left)}.')
    absent = [shown(n) for n in getattr(args, 'ignore_classes', ()) if n not in conversion.others]
    if absent:
        lines.append(f'--ignore-classes: no box is named {", ".join(absent)}.')
    if 'offset' in args:
        kept = 'made 0-based: x - 1, y - 1' if args.offset else 'kept: the first pixel is 1'
        lines.append(f'Coordinates were {kept}.')
    if args.keep_outside:
        lines.append('Boxes that cross the edge of their image were left as they are.')
    else:
        lines.append(f'{conversion.clipped:,} boxes were cut at the edge of their image.')
    if conversion.skipped:
        lines.append(f'Wrong records, left out: {len(conversion.skipped)}')
        lines += [f'  {text}' for text in conversion.skipped]
    if not conversion.ids_from_names:
        lines.append('The file names are no numbers, or not unique ones: image ids count from 1.')
    if sizes.folder is not None and sizes.folder.is_dir():
        names = {image['file_name'] for image in conversion.coco['images']}
        unused = [path for path in image_files(sizes.folder) if path.name not in names]
        if unused:
            first = f'the first is {shown(unused[0].name)}'
            lines.append(f'Images of {sizes.folder} not in the file: {len(unused)}, {first}.')
    return lines


def next_step(args: argparse.Namespace) -> str:
    """How to use what was written."""
    if args.split:
        return (
            'Both files are about the same folder of images: train with --cfg-options '
            'val_dataloader.dataset.data_prefix.img=FOLDER/'
        )
    folder, link = args.out.parent, f'{tool_command("prepare_data")} link'
    if args.out.name == 'train.json' and (folder / 'train').is_dir():
        return f'Next: {link} {shlex.quote(str(folder))} --valid 0.1'
    return (
        'Next: give it the name train.json beside a folder train/ of its images, then '
        f'{link} FOLDER --valid 0.1'
    )
