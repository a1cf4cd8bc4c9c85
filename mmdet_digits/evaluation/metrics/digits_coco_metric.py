"""COCO's box metrics for the ten digits."""

import contextlib
from collections.abc import Iterable, Mapping

from mmdet.datasets.api_wrappers import COCO
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmengine.logging import MMLogger

from mmdet_digits.coco.categories import map_categories
from mmdet_digits.coco.structure import FORMAT, normalize_coco
from mmdet_digits.evaluation.annotations import is_crowd
from mmdet_digits.files import read_json


@METRICS.register_module()
class DigitsCocoMetric(CocoMetric):
    """mmdet's ``CocoMetric`` with its traps closed.

    The file is read and its categories are matched with the classes by name as
    :class:`DigitsDataset` does, and renumbered in their order: mmdet goes by the order of the file,
    and for the figures per class by that of the ids, so that a file in another order swaps them.
    Annotations are counted as :func:`scored_boxes` says, whatever their ids and marks. A model that
    finds nothing scores 0, where mmdet reports no figure at all and ``save_best`` then fails.

    Args:
        ann_file: path of the COCO file with the ground truth.
        **kwargs: passed to :class:`mmdet.evaluation.CocoMetric`.
    """

    def __init__(self, ann_file: str, **kwargs) -> None:
        super().__init__(**kwargs)
        self.ann_file = ann_file
        self._coco_api = COCO()  # which would read plain JSON only
        self._coco_api.dataset = read_json(ann_file, FORMAT)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Score all images; see :meth:`mmdet.evaluation.CocoMetric.compute_metrics`."""
        if self.cat_ids is None:
            self._renumber()
        if any(len(prediction['scores']) for _, prediction in results):
            return super().compute_metrics(results)
        MMLogger.get_current_instance().warning(
            'Not one detection in the whole data set: every COCO figure is 0.'
        )
        items = self.metric_items or ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
        names = [f'{metric}_{item}' for metric in self.metrics for item in items]
        if self.classwise:
            names += [f'{name}_precision' for name in self.dataset_meta['classes']]
        return dict.fromkeys(names, 0.0)

    def _renumber(self) -> None:
        """Give the ground truth ids from 1, those of its categories in the order of the classes."""
        classes, ignored = self.dataset_meta['classes'], self.dataset_meta.get('ignore_classes', ())
        content = self._coco_api.dataset
        content, _ = normalize_coco(content, self.ann_file, classes, ignored, images_only=True)
        old_ids = map_categories(content['categories'], self.ann_file, classes)
        new_ids = {old: new for new, old in enumerate(old_ids, start=1)}
        content['categories'] = [dict(id=i, name=name) for i, name in enumerate(classes, start=1)]
        content['annotations'] = scored_boxes(content['annotations'], new_ids)
        self._coco_api.dataset = content
        with contextlib.redirect_stdout(None):  # pycocotools prints its progress
            self._coco_api.createIndex()
        self.cat_ids = list(new_ids.values())


def scored_boxes(boxes: Iterable[dict], category_ids: Mapping[int, int]) -> list[dict]:
    """Prepare annotations so that COCO's evaluation counts them right.

    Ids count from 1: the evaluation takes a match with the id 0 for no match. What is marked as
    ``ignore`` becomes a crowd: the evaluation knows no other box that may be found or missed.

    Args:
        boxes: the annotations.
        category_ids: the new category id of each old one.
    """
    return [
        {
            **box,
            'id': n,
            'category_id': category_ids[box['category_id']],
            'iscrowd': int(is_crowd(box)),
        }
        for n, box in enumerate(boxes, start=1)
    ]
