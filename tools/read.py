"""Read the numbers in images: python tools/read.py IMAGES...

Each image should be one close crop of one number; --all reads several in one image. Uses the
weights that come along, or --weights; needs neither torch nor mmdet, unless those are a checkpoint.

Prints a line per image: file, number, confidence. With --out DIR it writes instead
  numbers.csv    image_id, file_name, number (-1 for none), confidence, and scores and boxes
                 [x1, y1, x2, y2] of the digits, in pixels of the image as it is shown
  numbers.jsonl  the same with the digits left out and why, a line per image, written while it reads
  pred.json      every detection, and pred.csv: HW2's two files; not with --all
  pictures/      with --draw: the images with their boxes, under the names that they have
A job that was stopped goes on where it was when the same command is given again, and images that
have been added since are read. Exit status 3: some files could not be read.
"""

import argparse
import hashlib
import sys
import time
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from mmdet_digits.assembly.number_assembly import NO_NUMBER
from mmdet_digits.cli import add_reading_arguments, positive, report_failed_files, run_tool
from mmdet_digits.coco.files import number_images
from mmdet_digits.deploy.image_list import check_apart, find_images, listed_name, picture_names
from mmdet_digits.errors import InputError, failure_line
from mmdet_digits.evaluation.assembly_files import read_assembly
from mmdet_digits.files import check_writable, csv_text, held_folder, write_image
from mmdet_digits.reader.number_reader import NumberReader
from mmdet_digits.reader.number_reading import draw_readings
from mmdet_digits.reader.reading_log import (
    LOG,
    OUTPUTS,
    TABLE,
    ReadingLog,
    check_settings,
    record_of,
    write_tables,
)
from mmdet_digits.reader.sources import open_source

PICTURES = 'pictures'


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_reading_arguments(parser)
    parser.add_argument('--out', type=Path, help='folder for the outputs (default: print)')
    parser.add_argument(
        '--weights',
        default='svhn',
        help='svhn (the default), synthetic, an .onnx file, or with --config a checkpoint',
    )
    parser.add_argument('--config', help='the config of that checkpoint; needs torch and mmdet')
    parser.add_argument('--all', action='store_true', help='read all numbers of an image')
    parser.add_argument('--draw', action='store_true', help='also write DIR/pictures/')
    parser.add_argument('--threads', type=positive, help='default: as many as there are cores')
    args = parser.parse_args()
    if args.draw and not args.out:
        parser.error('--draw needs --out')
    return args


def main():
    args = parse_args()
    listed = [line for line in sys.stdin.read().splitlines() if line] if '-' in args.images else []
    paths = find_images([*(name for name in args.images if name != '-'), *listed])
    assembly = args.assembly and read_assembly(args.assembly)
    numbers = 'all' if args.all else 'one'
    reader = NumberReader(args.weights, args.config, assembly, numbers, args.threads)
    if not args.out:
        return print_numbers(args, reader, paths)
    return write_numbers(args, reader, paths)


def print_numbers(args, reader, paths):
    failed = []
    for start in range(0, len(paths), args.batch_size):
        for path, _, found in read_batch(args, reader, paths[start : start + args.batch_size]):
            if isinstance(found, str):
                failed.append(found)
                continue
            for reading in found if args.all else [found]:
                number, confidence = reading.number or NO_NUMBER, f'{reading.confidence:.3f}'
                print(csv_text((listed_name(path), number, confidence), []), end='')
    return report_failed_files(failed)


def write_numbers(args, reader, paths):
    out, names = args.out, [listed_name(path) for path in paths]
    outputs = [out / name for name in OUTPUTS]
    check_apart(paths, outputs, out / PICTURES)
    check_writable(out)
    with held_folder(out):
        if args.overwrite:
            for path in outputs:
                path.unlink(missing_ok=True)
        check_settings(out, settings_of(args, reader))
        log = ReadingLog(out / LOG)
        left = [n for n, name in enumerate(names) if name not in log.read]
        if len(left) < len(paths):
            print(f'{len(paths) - len(left):,} of {len(paths):,} images have been read before')
        seconds = read_into(log, args, reader, paths, left)
        found = write_tables(out, log, names, number_images(paths), submitted=not args.all)
        failed = [record['error'] for record in log.records(names) if 'error' in record]
    print(
        f'{len(left):,} images in {seconds:.1f} s ({len(left) / seconds:.1f} images/s); '
        f'{found:,} numbers: {out / TABLE}'
    )
    return report_failed_files(failed)


def read_into(log, args, reader, paths, left):
    """Read those paths that are left; return the seconds that it took."""
    from rich.console import Console

    from mmdet_digits.progress import image_progress

    started, pictures = time.perf_counter(), picture_names(paths) if args.draw else []
    with image_progress(Console(markup=False)) as progress:
        task = progress.add_task('read', total=len(left))
        for start in range(0, len(left), args.batch_size):
            batch, records = left[start : start + args.batch_size], []
            found = read_batch(args, reader, [paths[n] for n in batch])
            for n, (path, image, reading) in zip(batch, found, strict=True):
                records.append(record_of(listed_name(path), reading))
                if args.draw and image is not None:
                    readings = reading if args.all else [reading]
                    picture = Image.fromarray(draw_readings(image, readings)[..., ::-1])
                    write_image(args.out / PICTURES / pictures[n], picture)
            log.add(records)
            progress.advance(task, len(batch))
    return time.perf_counter() - started


def read_batch(args, reader, paths):
    """Yield each path with its image and what was read there, or with None and why not."""
    images, failed = {}, {}
    for path in paths:
        try:
            images[path], _ = open_source(path, args.max_pixels)
        except InputError as error:
            failed[path] = failure_line(path, error)
    readings = dict(zip(images, reader.read_images(images.values(), images), strict=True))
    for path in paths:
        yield path, images.get(path), failed.get(path) or readings[path]


def settings_of(args, reader):
    """What a job that goes on must have in common with its beginning."""
    return dict(
        weights=args.weights,
        sha256=hashlib.sha256(reader.weights.read_bytes()).hexdigest(),
        assembly=asdict(reader.assembly),
        all=args.all,
        draw=args.draw,
    )


if __name__ == '__main__':
    run_tool(main)
