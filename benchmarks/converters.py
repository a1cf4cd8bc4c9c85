"""How the time to convert a YOLO folder grows with its images, and what a photograph's size costs.

python benchmarks/converters.py
python benchmarks/converters.py --counts 1000 2000

Seconds of the processor. Each image is a PNG of 100 x 50 pixels with two digits; the photograph is
noise of 4,000 x 3,000 pixels, the JPEG with an EXIF block.
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from common import print_table, seconds_of
from PIL import Image

from mmdet_digits.cli import positive
from mmdet_digits.converters.image_sizes import ImageSizes, image_size
from mmdet_digits.converters.records import build_coco
from mmdet_digits.converters.yolo import YoloFolder

LINES = '7 0.3 0.5 0.1 0.4\n2 0.5 0.5 0.1 0.4\n'


def main():
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--counts', nargs='+', type=positive, default=[10_000, 100_000])
    parser.add_argument('--sides', nargs=2, type=positive, default=[4000, 3000])
    args = parser.parse_args()
    rows = []
    for count in args.counts:
        with tempfile.TemporaryDirectory() as folder:
            write_folder(Path(folder), count)
            seconds = seconds_of(lambda f=folder: convert(Path(f)), time.process_time)
        rows.append([f'{count:,}', f'{seconds:.2f}', f'{seconds / count * 1e6:.0f}'])
    print_table(['label files', 'seconds', 'us per file'], rows)
    print()
    with tempfile.TemporaryDirectory() as folder:
        photos = write_photos(Path(folder), args.sides)
        rows = [[path.suffix[1:], *map('{:.3f}'.format, times_of(path))] for path in photos]
    print_table(['photograph', 'ms, size read', 'ms, decoded'], rows)


def write_folder(folder: Path, count: int) -> None:
    """Write images and a text file for each."""
    Image.new('RGB', (100, 50)).save(folder / '1.png')
    image = (folder / '1.png').read_bytes()
    for number in range(1, count + 1):
        (folder / f'{number}.png').write_bytes(image)
        (folder / f'{number}.txt').write_text(LINES)


def convert(folder: Path) -> None:
    """Convert a folder, all but the writing."""
    assert len(build_coco(YoloFolder(folder, folder), ImageSizes()).coco['annotations'])


def write_photos(folder: Path, sides: list[int]) -> list[Path]:
    """Write one photograph in two formats."""
    exif = Image.Exif()
    exif[274] = 6
    pixels = np.random.default_rng(0).integers(0, 256, (*sides[::-1], 3), np.uint8)
    photo = Image.fromarray(pixels)
    photo.save(folder / '1.png')
    photo.save(folder / '1.jpg', exif=exif)
    return [folder / '1.png', folder / '1.jpg']


def times_of(path: Path) -> tuple[float, float]:
    """Milliseconds to read the size of an image, and to decode it as training does."""
    shape = cv2.imread(str(path)).shape
    assert image_size(path) == shape[1::-1]
    return tuple(
        seconds_of(lambda f=function: f(path), time.process_time) * 1e3
        for function in (image_size, lambda path: cv2.imread(str(path)))
    )


if __name__ == '__main__':
    main()
