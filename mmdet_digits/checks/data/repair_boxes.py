"""The third step of a repair: the annotations."""

from collections.abc import Mapping, Sequence

from mmdet_digits.checks.data.columns import number
from mmdet_digits.checks.data.frames import scale_box
from mmdet_digits.checks.data.repair_images import RepairedImages
from mmdet_digits.checks.data.repair_values import Change
from mmdet_digits.coco.structure import is_bbox


def repair_annotations(
    annotations: list[dict], images: RepairedImages, category_ids: Sequence[int], split: str
) -> tuple[list[dict], list[Change]]:
    """Repair the annotations of a COCO file.

    Args:
        annotations: the entries, each with sound ids; not changed.
        images: the images that are left.
        category_ids: id of each digit in the file; becomes 1 for 0, 2 for 1, ...
        split: name of the split, for the changes.

    Returns:
        The repaired annotations, and what was changed. That the id of a category became another is
        not listed box by box.
    """
    new_ids = {old: new for new, old in enumerate(category_ids, start=1)}
    sizes = {image['id']: (image['width'], image['height']) for image in images.entries}
    next_id = max((annotation['id'] for annotation in annotations), default=0) + 1
    kept, changes, ids, boxes = [], [], set(), set()
    for before in annotations:
        moved = {'image_id': images.moved.get(before['image_id'], before['image_id'])}
        scale = images.scales.get(before['image_id'])
        after, done = repair_annotation(before | moved, sizes, new_ids, scale)
        if moved['image_id'] != before['image_id']:
            done.append('moved to the entry of the same file')
        if after is not None and (key := _key(after)) in boxes:
            after, done = None, ['it stands twice']
        if after is not None:
            if after['id'] in ids or after['id'] < 1:
                after['id'], next_id = max(next_id, 1), max(next_id, 1) + 1
                done.append('id replaced')
            ids.add(after['id'])
            boxes.add(key)
            kept.append(after)
        if done:
            what = f'box {"removed" if after is None else "changed"}: {", ".join(done)}'
            changes.append(Change(split, what, before, after, before['image_id'], before['id']))
    return kept, changes


def repair_annotation(
    annotation: dict,
    sizes: Mapping[int, tuple[int, int]],
    new_ids: Mapping[int, int],
    scale: tuple[float, float] | None = None,
) -> tuple[dict | None, list[str]]:
    """Repair one annotation.

    Args:
        annotation: the entry, with sound ids; not changed.
        sizes: width and height of the images, by id.
        new_ids: new ids of the categories, by the old ones.
        scale: how much wider and higher its image became since the box was drawn.

    Returns:
        It as it should be, None where it cannot stay; and what was done, or why.
    """
    bbox = annotation.get('bbox')
    if annotation['image_id'] not in sizes:
        return None, ['its image is not there']
    if annotation['category_id'] not in new_ids:
        return None, ['its category is not there']
    if not is_bbox(bbox):
        return None, ['bbox is not four numbers']
    if annotation.get('ignore', 0) not in (0, 1):
        return None, ['ignore is neither 0 nor 1']
    done = []
    if scale:
        bbox, done = scale_box(bbox, scale), ['scaled with its image']
    if min(bbox[2:]) < 1:
        return None, ['it is under 1 px wide or high']
    cut = cut_box(bbox, *sizes[annotation['image_id']])
    if min(cut[2:]) < 1:
        return None, ['it lies outside its image']
    repaired = annotation | {'bbox': cut, 'category_id': new_ids[annotation['category_id']]}
    done += ['cut at the edge of its image'] if cut != bbox else []
    area = cut[2] * cut[3]
    if not abs(number(annotation.get('area')) - area) <= max(area / 100, 1):  # NaN is not
        repaired['area'] = area
        done.append('area corrected')
    if annotation.get('iscrowd') not in (0, 1):
        repaired['iscrowd'] = 0
        done.append('iscrowd set to 0')
    return repaired, done


def cut_box(bbox: Sequence[float], width: int, height: int) -> list[float]:
    """The part of ``[x, y, w, h]`` inside an image; not above 0 wide or high if there is none."""
    x, y, w, h = bbox
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + w, width), min(y + h, height)
    if (left, top, right, bottom) == (x, y, x + w, y + h):
        return list(bbox)
    return [left, top, right - left, bottom - top]


def _key(annotation: dict) -> tuple:
    """What two annotations of one box have in common."""
    return annotation['image_id'], annotation['category_id'], *annotation['bbox']
