"""Numbers read by general OCR engines and by this project, on the same images.

python benchmarks/ocr_engines.py --images FOLDER --ann FILE

What is not installed is left out: pip install rapidocr-onnxruntime; Debian's package tesseract-ocr.
The engines get each image enlarged to a height of 96 px, one thread, and what they say is scored by
its digits, the others left away: a number counts if it is right as a whole.
"""

import argparse
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import cv2
from common import describe_machine, print_table
from rich.console import Console

from mmdet_digits import NumberReader
from mmdet_digits.assembly.number_scores import accuracy_interval
from mmdet_digits.assembly.true_numbers import true_numbers
from mmdet_digits.cli import positive, run_tool
from mmdet_digits.evaluation.annotations import read_annotations
from mmdet_digits.image_reading import load_image
from mmdet_digits.progress import image_progress

HEIGHT = 96  # pixels
TESSERACT = ('tesseract', 'stdin', 'stdout', '--psm', '7')
DIGITS_ONLY = ('-c', 'tessedit_char_whitelist=0123456789')


def parse_args():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=Path, required=True, help='folder of the images')
    parser.add_argument('--ann', type=Path, required=True, help='their COCO file')
    parser.add_argument('--limit', type=positive, metavar='N', help='only the first N images')
    parser.add_argument(
        '--weights', nargs='+', default=['synthetic', 'svhn'], help='of NumberReader; default: both'
    )
    return parser.parse_args()


def main():
    """Read the images with each reader, and print the table."""
    args = parse_args()
    annotations = read_annotations(args.ann)
    truth = true_numbers(annotations.truth)[: args.limit]
    paths = [args.images / name for name in annotations.file_names[: args.limit]]
    print(f'{describe_machine()}; one thread; {len(paths):,} images\n')
    rows = []
    for name, read in {**engines(), **ours(args.weights)}.items():
        correct, seconds = [], 0.0
        with image_progress(Console(markup=False, stderr=True)) as progress:
            for path, number in zip(progress.track(paths, description=name), truth, strict=True):
                started = time.perf_counter()
                correct.append(read(path) == number)
                seconds += time.perf_counter() - started
        low, high = accuracy_interval(correct)
        accuracy = f'{sum(correct) / len(correct):.3f} ({low:.3f}-{high:.3f})'
        rows.append((name, accuracy, f'{len(paths) / seconds:.1f}'))
    print_table(('reader', 'number accuracy', 'images/s'), rows)


def engines():
    """What of other projects is installed: takes a path, gives a number."""
    found = {}
    if shutil.which(TESSERACT[0]):
        found['Tesseract'] = lambda path: tesseract(path, ())
        found['Tesseract, digits only'] = lambda path: tesseract(path, DIGITS_ONLY)
    try:
        from rapidocr_onnxruntime import RapidOCR
    except ImportError:
        return found
    engine = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
    found['RapidOCR'] = lambda path: rapidocr(engine, path)
    found['RapidOCR, recogniser alone'] = lambda path: rapidocr(
        engine, path, use_det=False, use_cls=False
    )
    return found


def ours(weights):
    """This project's readers, likewise."""
    readers = {name: NumberReader(name, threads=1) for name in weights}
    return {
        f'NumberReader, {name}': lambda path, reader=reader: reader(path).number
        for name, reader in readers.items()
    }


def tesseract(path, options):
    """The digits of the line that Tesseract reads."""
    done = subprocess.run(
        [*TESSERACT, *options],
        input=cv2.imencode('.png', enlarged(path))[1].tobytes(),
        capture_output=True,
        env={**os.environ, 'OMP_THREAD_LIMIT': '1'},
        check=True,
    )
    return digits_of(done.stdout.decode())


def rapidocr(engine, path, **options):
    """The texts that it finds, from left to right; alone, the recogniser has no boxes."""
    found, _ = engine(enlarged(path), **options)
    if not options:
        found = sorted(found or [], key=lambda line: min(x for x, _ in line[0]))
        return digits_of(''.join(text for _, text, _ in found))
    return digits_of(''.join(line[0] for line in found or []))


def enlarged(path):
    """An image, 96 px high, (96, W, 3) BGR."""
    image = load_image(path)
    width = max(1, round(image.shape[1] * HEIGHT / image.shape[0]))
    return cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_CUBIC)


def digits_of(text):
    """The digits of a text, None if it has none."""
    return ''.join(re.findall('[0-9]', text)) or None


if __name__ == '__main__':
    run_tool(main)
