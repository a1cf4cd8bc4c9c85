"""In which frame boxes lie whose image file has another size than the JSON says."""

from collections.abc import Sequence

import numpy as np

OWN, STATED, UNKNOWN = 'file', 'stated', 'unknown'
FEW, MANY = 0.01, 0.1  # shares of images: so few are faults of their own, so many speak for all


def find_frames(
    stated: np.ndarray, sizes: np.ndarray, rows: np.ndarray, bboxes: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Find out whether the boxes lie in the file or in an image of the stated size.

    A box whose middle is beyond one of the two lies in the other. Images that do not say it follow
    those that do, if these are of the same shape as stated, and larger or smaller, as well. If none
    says it, boxes that lie in the smaller of the two belong there; but only boxes of a file of the
    same shape can be brought into a larger one.

    Args:
        stated: width and height in the JSON (M, 2); above 0.
        sizes: those of the files (M, 2), others than stated.
        rows: the image of each box (N,).
        bboxes: the boxes (N, 4) as ``[x, y, w, h]``.

    Returns:
        ``OWN`` (that of the file), ``STATED`` or ``UNKNOWN`` of each image, and whether the file
        has the stated shape (M,).
    """
    same, shrunk = same_shape(stated, sizes), (sizes <= stated).all(axis=1)
    grown = (sizes >= stated).all(axis=1)
    beyond_file, beyond_stated = (_beyond(frame, rows, bboxes) for frame in (sizes, stated))
    in_stated, in_file = beyond_file & ~beyond_stated, beyond_stated & ~beyond_file
    open_ = ~beyond_file & ~beyond_stated
    frames = np.full(len(sizes), UNKNOWN, dtype=object)
    for group, default in ((same & grown, STATED), (same & shrunk, OWN)):
        total = max(group.sum(), 1)
        votes = {STATED: (group & in_stated).sum() / total, OWN: (group & in_file).sum() / total}
        frames[open_ & group] = _decide(votes, default)
    frames[open_ & ~same & shrunk] = OWN
    frames[np.bincount(rows, minlength=len(sizes)) == 0] = OWN
    frames[in_stated], frames[in_file] = STATED, OWN
    return frames.tolist(), same


def _decide(votes: dict[str, float], default: str) -> str:
    """What the images of a group follow that say nothing themselves."""
    told = [name for name, share in votes.items() if share > FEW]
    if not told:
        return default
    return told[0] if len(told) == 1 and votes[told[0]] >= MANY else UNKNOWN


def same_shape(stated: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Whether sizes (M, 2) are the stated ones (M, 2), enlarged or reduced and rounded (M,)."""
    scales = sizes / stated
    off = np.abs(sizes[:, ::-1] - stated[:, ::-1] * scales)  # each side by the scale of the other
    return (off <= 1).any(axis=1)


def _beyond(frame: np.ndarray, rows: np.ndarray, bboxes: np.ndarray) -> np.ndarray:
    """The images that have a box whose middle is not in a frame (M, 2)."""
    middles = bboxes[:, :2] + bboxes[:, 2:] / 2
    out = ((middles < 0) | (middles > frame[rows])).any(axis=1)
    return np.bincount(rows[out], minlength=len(frame)) > 0


def scale_box(bbox: Sequence[float], scale: tuple[float, float]) -> list[float]:
    """Enlarge ``[x, y, w, h]`` with its image, to a thousandth of a pixel."""
    return [round(side * factor, 3) for side, factor in zip(bbox, scale * 2, strict=True)]
