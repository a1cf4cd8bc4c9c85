"""Test images without labels, as HW2's are: nothing to score, but to predict on."""

import json
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from mmdet_digits.checks.config_data import split_of
from mmdet_digits.coco.files import CATEGORIES
from mmdet_digits.converters.image_sizes import image_size
from mmdet_digits.deploy.image_list import number_images
from mmdet_digits.files import image_files, write_file

LISTING = 'test_images.json'


def list_unlabelled_images(cfg: Config) -> bool:
    """Make a config test on a folder of images whose annotation file is not there.

    The images are listed in a COCO file without boxes in the work dir, under the ids that their
    names say; the evaluators, which need labels, are left out.

    Args:
        cfg: changed in place, unless the annotation file is there.

    Returns:
        Whether it was changed.

    Raises:
        InputError: an image cannot be read.
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
    """The images of a folder as a COCO dictionary without boxes; only their heads are read."""
    paths = image_files(folder)
    images = [
        dict(id=image_id, file_name=path.name, width=width, height=height)
        for image_id, path in zip(number_images(paths), paths, strict=True)
        for width, height in [image_size(path)]
    ]
    return dict(images=images, annotations=[], categories=CATEGORIES)
