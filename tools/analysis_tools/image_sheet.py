"""Mix images of several folders in one numbered sheet: can you tell the drawn ones?

  python tools/analysis_tools/image_sheet.py data/svhn/test data/street/test --out sheet.png

Prints which image is whose, to be read after guessing.
"""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mmdet_digits.cli import natural, positive, run_tool
from mmdet_digits.deploy.image_list import find_images
from mmdet_digits.files import check_outputs, write_image
from mmdet_digits.visualization.digit_pictures import (
    contact_sheet,
    draw_marks,
    load_rgb,
    with_caption,
)

SIZE = (220, 110)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folders', nargs='+', help='folders of images, taken from equally')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE.png')
    parser.add_argument('--images', type=positive, default=20, help='per folder (default: 20)')
    parser.add_argument('--columns', type=positive, default=8, help='default: 8')
    parser.add_argument('--seed', type=natural, default=0, help='which, and where (default: 0)')
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier FILE.png')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main():
    args = parse_args()
    check_outputs([args.out], args.overwrite, inputs=find_images(args.folders))
    rng = np.random.default_rng(args.seed)
    images = []
    for folder in args.folders:
        found = find_images([folder])
        chosen = rng.choice(len(found), min(args.images, len(found)), replace=False)
        images += [(folder, found[n]) for n in chosen]
    images = [images[n] for n in rng.permutation(len(images))]
    pictures = [
        with_caption(draw_marks(load_rgb(path), [], SIZE), str(number))
        for number, (_, path) in enumerate(images, start=1)
    ]
    write_image(args.out, contact_sheet(pictures, args.columns))
    key = Table('folder', 'its images')
    for folder in args.folders:
        numbers = (str(n) for n, (whose, _) in enumerate(images, start=1) if whose == folder)
        key.add_row(folder, ' '.join(numbers))
    Console(markup=False).print(key)
    print(f'written to {args.out}')


if __name__ == '__main__':
    run_tool(main)
