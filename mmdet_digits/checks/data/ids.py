"""Checks of the ids in a COCO file: each there once, none that leads nowhere."""

import numpy as np

from mmdet_digits.checks.data.structure import CocoTable, report, shown
from mmdet_digits.checks.finding import Check, Status


def check_ids(table: CocoTable) -> list[Check]:
    """Every check of this module."""
    return [
        duplicate_image_ids(table),
        duplicate_annotation_ids(table),
        annotation_id_zero(table),
        duplicate_file_names(table),
        annotations_without_image(table),
        annotations_without_category(table),
        images_without_annotations(table),
    ]


def repeated(values: np.ndarray) -> np.ndarray:
    """Which values stand more than once: a mask over all their occurrences."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return counts[inverse.ravel()] > 1


def duplicate_image_ids(table: CocoTable) -> Check:
    """Two images of one id: whose are the boxes?"""
    return report(
        'duplicate image ids',
        table.images(_grouped(table.image_ids)),
        'every id once',
        'give each image an id of its own; whose the boxes are only you can tell',
        repair='drops all of them with their boxes',
    )


def duplicate_annotation_ids(table: CocoTable) -> Check:
    """Two annotations of one id: COCO tools find the last one twice and the first one never."""
    return report(
        'duplicate annotation ids',
        table.annotations(_grouped(table.ann_ids)),
        'every id once',
        'number the annotations anew',
        repair='does so',
    )


def _grouped(ids: np.ndarray) -> np.ndarray:
    """The rows of ids that stand more than once, those of one id side by side."""
    rows = np.flatnonzero(repeated(ids))
    return rows[np.argsort(ids[rows], kind='stable')]


def annotation_id_zero(table: CocoTable) -> Check:
    """COCO's evaluation takes 0 for "no match"."""
    return report(
        'annotation id 0',
        table.annotations(table.ann_ids == 0),
        'ids from 1: COCO evaluation counts a box matched with id 0 as a false alarm',
        'number the annotations from 1',
        Status.WARN,
        repair='gives them another id',
    )


def duplicate_file_names(table: CocoTable) -> Check:
    """Two entries for one file: it is seen twice, each time with a part of its boxes."""
    named = np.flatnonzero(table.file_names != '')
    names = table.file_names[named].astype(str)
    rows = named[_grouped(names)]
    return report(
        'duplicate file names',
        table.images(rows),
        'one entry per file',
        'put the boxes of one file under one id, and remove its other entries',
        repair='does so',
    )


def annotations_without_image(table: CocoTable) -> Check:
    """Boxes of an image that the file does not list."""
    return report(
        'annotations without image',
        table.annotations(table.image_rows < 0),
        'an image_id that is among the images; these boxes are not loaded',
        'add the images, or remove the annotations',
        repair='removes them',
    )


def annotations_without_category(table: CocoTable) -> Check:
    """Boxes of a category that the file does not list."""
    rows = np.flatnonzero(~np.isin(table.category_ids, [c['id'] for c in table.categories]))
    ids = table.category_ids[rows]
    cases = [
        f'{where}: category_id {category_id}'
        for where, category_id in zip(table.annotations(rows), ids, strict=True)
    ]
    listed = ', '.join(str(category['id']) for category in table.categories)
    return report(
        'annotations without category',
        cases,
        f'a category_id among those listed ({shown(listed)[1:-1] or "none"}); '
        'these boxes are not loaded',
        'correct category_id, or add the category',
        repair='removes them',
    )


def images_without_annotations(table: CocoTable) -> Check:
    """Images that hold no box, which training leaves out."""
    annotated = np.zeros(len(table.image_ids), dtype=bool)
    annotated[table.image_rows[table.image_rows >= 0]] = True
    return report(
        'images without annotations',
        table.images(~annotated & ~repeated(table.image_ids)),
        'boxes on every image, unless it shows no digit; training leaves these images out',
        'label them, or accept it',
        Status.WARN,
    )
