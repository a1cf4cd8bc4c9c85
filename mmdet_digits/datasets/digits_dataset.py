"""COCO-format digit images: HW2, SVHN and the synthetic scenes."""

import contextlib
import json
from collections import Counter
from collections.abc import Sequence

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger

from mmdet_digits.categories import DIGITS, ZERO_ALIAS, map_categories
from mmdet_digits.utils.errors import InputError


class DigitsCOCO(COCO):
    """mmdet's COCO index, read with clear messages and mapped to classes by name.

    pycocotools returns category ids in the order of the file, whatever order the names are asked
    for in; a file that lists its categories in another order than the classes then has its labels
    swapped in silence.

    Args:
        annotation_file: path of a COCO JSON file.

    Raises:
        InputError: it is not JSON or lacks one of its three lists.
    """

    def __init__(self, annotation_file: str) -> None:
        self.ann_file = annotation_file
        try:
            with contextlib.redirect_stdout(None):  # pycocotools prints its progress
                super().__init__(annotation_file)
        except json.JSONDecodeError as error:
            raise InputError(
                f'{annotation_file}: not valid JSON at line {error.lineno}, column {error.colno}: '
                f'{error.msg}.\n  fix: copy or convert the file again'
            ) from error
        missing = [
            key for key in ('images', 'annotations', 'categories') if key not in self.dataset
        ]
        if missing:
            raise InputError(
                f'{annotation_file}: lacks {", ".join(missing)}.\n'
                f'  found:    {", ".join(self.dataset) or "nothing"}\n'
                '  expected: a COCO file with images, annotations and categories, as shown in '
                'data/README.md'
            )

    def get_cat_ids(
        self, cat_names: Sequence[str] = DIGITS, sup_names: Sequence = (), cat_ids: Sequence = ()
    ) -> list[int]:
        """The category ids of ``cat_names``, in their order."""
        if not any(str(category.get('name')) == '0' for category in self.dataset['categories']):
            MMLogger.get_current_instance().info(
                f"{self.ann_file}: no category is named '0'; '{ZERO_ALIAS}' is taken for zero."
            )
        return map_categories(self.dataset['categories'], self.ann_file, cat_names)


@DATASETS.register_module()
class DigitsDataset(CocoDataset):
    """Digits as COCO boxes, with nothing dropped in silence.

    Categories are mapped to the classes by name, so that their order and ids do not matter. No
    image is dropped for being small: 22 % of SVHN has a side under 32 px. What is dropped is
    logged with its reason, beside the number of boxes of each class.

    Arguments are those of :class:`mmdet.datasets.CocoDataset`.

    Raises:
        InputError: the annotation file cannot be read as COCO, or its categories are not the
            classes.
    """

    METAINFO = dict(
        classes=DIGITS,
        palette=[
            (31, 119, 180),
            (255, 127, 14),
            (44, 160, 44),
            (214, 39, 40),
            (148, 103, 189),
            (140, 86, 75),
            (227, 119, 194),
            (127, 127, 127),
            (188, 189, 34),
            (23, 190, 207),
        ],
    )
    COCOAPI = DigitsCOCO

    def load_data_list(self) -> list[dict]:
        """Load the annotation file as :class:`mmdet.datasets.CocoDataset` does."""
        self._dropped = Counter()
        return super().load_data_list()

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Convert the COCO entry of one image, counting the boxes that are left out and why."""
        image = raw_data_info['raw_img_info']
        for annotation in raw_data_info['raw_ann_info']:
            reason = drop_reason(annotation['bbox'], image['width'], image['height'])
            if annotation['category_id'] not in self.cat_ids:
                reason = 'boxes of a category that the file does not define'
            self._dropped.update([reason] if reason else [])
        return super().parse_data_info(raw_data_info)

    def filter_data(self) -> list[dict]:
        """Apply ``filter_cfg``, then log what is kept and what is not.

        Raises:
            InputError: nothing is kept.
        """
        kept = super().filter_data()
        self._dropped['images that filter_cfg excludes'] = len(self.data_list) - len(kept)
        labels = Counter(box['bbox_label'] for image in kept for box in image['instances'])
        summary = load_summary(
            self.ann_file, len(kept), labels, self._dropped, self.metainfo['classes']
        )
        MMLogger.get_current_instance().info(summary)
        if not kept:
            raise InputError(f'{self.ann_file}: no image is left to load.\n  found:    {summary}')
        return kept


def drop_reason(bbox: Sequence[float], width: int, height: int) -> str | None:
    """Why mmdet leaves a box out, or None if it keeps it.

    Args:
        bbox: ``[x, y, w, h]`` in pixels.
        width: width of its image.
        height: height of its image.
    """
    x, y, w, h = bbox
    if w < 1 or h < 1:
        return 'boxes under 1 px wide or high'
    if min(x + w, width) <= max(x, 0) or min(y + h, height) <= max(y, 0):
        return 'boxes outside their image'
    return None


def load_summary(
    ann_file: str, num_images: int, labels: Counter, dropped: Counter, classes: Sequence[str]
) -> str:
    """Say in a few lines what a data set holds and what was left out of it.

    Args:
        ann_file: its annotation file.
        num_images: images kept.
        labels: boxes kept per label.
        dropped: what was left out, per reason.
        classes: class names in label order.
    """
    counts = [labels[label] for label in range(len(classes))]
    width = max(len(f'{max(counts):,}'), 5)
    left_out = [f'{count:,} {reason}' for reason, count in dropped.items() if count]
    return '\n'.join(
        [
            f'{ann_file}: {num_images:,} images, {sum(counts):,} boxes',
            '  digit ' + ' '.join(f'{name:>{width}}' for name in classes),
            '  boxes ' + ' '.join(f'{count:>{width},}' for count in counts),
            f'  left out: {", ".join(left_out) or "nothing"}',
        ]
    )
