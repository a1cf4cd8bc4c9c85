"""COCO-format digit images: HW2, SVHN and the synthetic scenes."""

import contextlib
from collections import Counter
from collections.abc import Sequence
from functools import partial

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger

from mmdet_digits.coco.categories import DIGITS, ZERO_ALIAS, map_categories
from mmdet_digits.coco.structure import is_bbox, name_problem, read_coco, unusable_name
from mmdet_digits.datasets.broken_images import (
    BrokenImages,
    broken_boxes,
    check_policy,
    or_skip,
)
from mmdet_digits.errors import InputError


class DigitsCOCO(COCO):
    """mmdet's COCO index, read with clear messages and mapped to classes by name.

    pycocotools returns category ids in the order of the file, whatever order the names are asked
    for in; a file that lists its categories in another order than the classes then has its labels
    swapped in silence.

    Args:
        annotation_file: path of a COCO JSON file.
        **kwargs: passed to :func:`mmdet_digits.coco.structure.read_coco`.

    Raises:
        InputError: it is not a COCO file; of its boxes only the ids are checked.
    """

    def __init__(self, annotation_file: str, **kwargs) -> None:
        super().__init__()
        self.ann_file = annotation_file
        say = MMLogger.get_current_instance().info
        self.dataset = read_coco(annotation_file, bboxes=False, say=say, **kwargs)
        with contextlib.redirect_stdout(None):  # pycocotools prints its progress
            self.createIndex()
        self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs

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

    An image that cannot be loaded, or has a box that is not four finite numbers, stops the run with
    its path, or is skipped: then the next sound image of the file stands in, which depends on
    nothing else, so that a run can be repeated. Validation and testing always stop.

    A file may have more categories than the classes if they have no boxes, and fewer. For testing
    it need not have annotations.

    Args:
        *args: those of :class:`mmdet.datasets.CocoDataset`.
        ignore_classes: names of categories that are left out with their boxes; they stand in
            ``metainfo`` too, so that metrics can leave them out.
        on_broken: ``'stop'``, or ``'skip'`` for training only: log each broken image once.
        max_broken_share: stop when more than this share of the images has been skipped.
        **kwargs: those of :class:`mmdet.datasets.CocoDataset`.

    Raises:
        InputError: the annotation file cannot be read as COCO, its categories are not the classes,
            or something is broken that may not be skipped.
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

    def __init__(
        self,
        *args,
        ignore_classes: Sequence[str] = (),
        on_broken: str = 'stop',
        max_broken_share: float = 0.01,
        **kwargs,
    ) -> None:
        check_policy(on_broken, max_broken_share, kwargs.get('test_mode', False))
        self.on_broken = on_broken
        self.max_broken_share = max_broken_share
        if ignore_classes:
            ignored = dict(ignore_classes=tuple(map(str, ignore_classes)))
            kwargs['metainfo'] = {**(kwargs.get('metainfo') or {}), **ignored}
        super().__init__(*args, **kwargs)

    def full_init(self) -> None:
        """Load the annotations; count broken images for all workers."""
        if not self._fully_initialized:
            super().full_init()
            self._broken = BrokenImages(len(self), self.max_broken_share, self.ann_file)

    def prepare_data(self, idx: int) -> dict:
        """Load an image and its boxes, or those that stand in for it."""
        try:
            return self._load(idx)
        except InputError as error:
            if self.on_broken == 'skip':
                return self._broken.stand_in(idx, error, self._load)
            if self.test_mode:
                raise
            raise or_skip(error, self.max_broken_share) from error

    def _load(self, idx: int) -> dict:
        info = self.get_data_info(idx)
        if 'broken' in info:
            raise InputError(info['broken'])
        return self.pipeline(info)

    def load_data_list(self) -> list[dict]:
        """Load the annotation file as :class:`mmdet.datasets.CocoDataset` does."""
        self._dropped = Counter()
        self.COCOAPI = partial(
            DigitsCOCO,
            classes=self.metainfo['classes'],
            ignore_classes=self.metainfo.get('ignore_classes', ()),
            images_only=self.test_mode,
        )
        return super().load_data_list()

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Convert the COCO entry of one image, counting the boxes that are left out and why."""
        image = raw_data_info['raw_img_info']
        annotations = raw_data_info['raw_ann_info']
        sound, broken = [], []
        for annotation in annotations:
            (sound if is_bbox(annotation.get('bbox')) else broken).append(annotation)
        for annotation in sound:
            reason = drop_reason(annotation['bbox'], image['width'], image['height'])
            if annotation.get('ignore'):
                reason = 'boxes marked as ignore'
            if reason:
                self._dropped[reason] += 1
        with_areas = [dict(a, area=a['bbox'][2] * a['bbox'][3]) for a in sound]  # mmdet drops 0
        info = super().parse_data_info(dict(raw_data_info, raw_ann_info=with_areas))
        if broken:
            info['broken'] = str(broken_boxes(info['img_path'], self.ann_file, broken))
        if name_problem(image['file_name']):
            info['broken'] = str(unusable_name(image['file_name'], self.ann_file))
        return info

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
            raise InputError(
                f'{self.ann_file}: no image is left to load.',
                summary.rpartition('\n')[2].strip(),
                'at least one image that is not left out',
                'give another annotation file, or change filter_cfg of the data set',
            )
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
