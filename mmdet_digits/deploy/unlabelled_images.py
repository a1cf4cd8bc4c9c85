"""Test images without labels, as HW2's are: nothing to score, but to predict on."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from mmdet_digits.checks.config_data import split_of
from mmdet_digits.coco.files import unlabelled_coco
from mmdet_digits.errors import InputError
from mmdet_digits.files import image_files, write_file
from mmdet_digits.image_reading import load_image, quiet_decoders
from mmdet_digits.repository import tool_command

LISTING = 'test_images.json'
MOST_NAMED = 50


def list_unlabelled_images(cfg: Config) -> bool:
    """Make a config test on a folder of images whose annotation file is not there.

    The images are listed in a COCO file without boxes in the work dir, under the ids that their
    names say; the evaluators, which need labels, are left out.

    Args:
        cfg: changed in place, unless the annotation file is there.

    Returns:
        Whether it was changed.

    Raises:
        InputError: images cannot be read.
    """
    dataset = cfg.test_dataloader.dataset
    split = split_of(dataset) if 'ann_file' in dataset else None
    if split is None or split.ann_file.exists() or not split.image_dir.is_dir():
        return False
    listing = Path(cfg.work_dir, LISTING).absolute()
    coco = images_as_coco(split.image_dir)
    write_file(listing, json.dumps(coco) + '\n')
    dataset.ann_file = str(listing)
    cfg.test_evaluator = []
    print_log(
        f'{split.ann_file} is not there: no labels for the {len(coco["images"]):,} images of '
        f'{split.image_dir}, so there is nothing to score. Their ids stand in {listing}.',
        'current',
    )
    return True


def images_as_coco(folder: Path) -> dict:
    """The images of a folder as a COCO dictionary without boxes; each is decoded once.

    Raises:
        InputError: some cannot be decoded; up to ``MOST_NAMED`` of them are named.
    """
    paths = image_files(folder)
    with quiet_decoders(), ThreadPoolExecutor() as pool:
        sizes = list(pool.map(_size, paths))
    broken = [
        f'{path.name}: {size.found}'
        for path, size in zip(paths, sizes, strict=True)
        if isinstance(size, InputError)
    ]
    if broken:
        more = len(broken) - MOST_NAMED
        shown = broken[:MOST_NAMED] + [f'and {more:,} more'] * (more > 0)
        raise InputError(
            f'{folder}: {len(broken):,} of {len(paths):,} images cannot be read.',
            '\n            '.join(shown),
            'complete PNG or JPEG files',
            f'copy them again, or have a copy without them: {tool_command("check_data")} --fix OUT',
        )
    return unlabelled_coco(paths, sizes)


def _size(path: Path) -> tuple[int, int] | InputError:
    """Width and height of an image as it is detected, or why it cannot be decoded."""
    try:
        height, width = load_image(path).shape[:2]
    except InputError as error:
        return error
    return width, height
