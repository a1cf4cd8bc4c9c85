"""What to do about an image or a box that is broken: stop, or skip it and count."""

import logging
from collections.abc import Callable, Sequence
from itertools import chain

import torch
from mmengine.logging import print_log

from mmdet_digits.errors import InputError

POLICIES = ('stop', 'skip')


class BrokenImages:
    """The images of a data set that turned out broken, counted over all its data workers.

    Args:
        total: images in the data set.
        max_share: the largest share of them that may be skipped.
        name: of the data set, for messages.
    """

    def __init__(self, total: int, max_share: float, name: str) -> None:
        self.total = total
        self.allowed = int(total * max_share)
        self.name = name
        self._met, self._told = torch.zeros(2, total, dtype=torch.bool).share_memory_()

    def stand_in(self, index: int, error: InputError, load: Callable[[int], dict]) -> dict:
        """Load the next sound image of the file instead of a broken one, which is logged once.

        Args:
            index: of the broken image.
            error: what is wrong with it.
            load: loads the image of an index, or raises InputError.

        Raises:
            InputError: more images are broken than may be skipped.
        """
        self._met[index] = True
        for other in chain(range(index + 1, self.total), range(index)):
            if self._met.sum() > self.allowed:
                break
            try:
                data = load(other)
            except InputError:
                self._met[other] = True  # told when its own turn comes
                continue
            self._tell(index, error)
            return data
        raise self._too_many(load)

    def _tell(self, index: int, error: InputError) -> None:
        if not self._told[index]:
            self._told[index] = True
            count = f'{self._told.sum():,} so far, {self.allowed:,} allowed'
            text = f'{error}\n  skipped ({count}); the next sound image of the file stands in'
            print_log(text, 'current', logging.WARNING)

    def _too_many(self, load: Callable[[int], dict]) -> InputError:
        first = self._met.nonzero().flatten()[:10].tolist()
        reasons = '\n            '.join(['', *(reason(index, load) for index in first)])
        return InputError(
            f'{self.name}: too many broken images to go on without them.',
            f'{int(self._met.sum()):,} of {self.total:,} so far; the first:{reasons}',
            f'at most {self.allowed:,} (max_broken_share of the data set)',
            'mend them or copy them again, or raise train_dataloader.dataset.max_broken_share',
        )


def reason(index: int, load: Callable[[int], dict]) -> str:
    """Say in one line why an image cannot be loaded."""
    try:
        load(index)
    except InputError as error:
        return str(error).splitlines()[0]
    return f'image {index}, which is sound by now'


def or_skip(error: InputError, max_share: float) -> InputError:
    """Add to the message about a broken training image how to go on without it."""
    return InputError(
        f'{error}\n       or let training skip it, and up to {max_share:.1%} of the images: '
        '--cfg-options train_dataloader.dataset.on_broken=skip'
    )


def check_policy(policy: str, max_share: float, test_mode: bool) -> None:
    """Check that a data set may treat broken images as its config says.

    Args:
        policy: ``on_broken`` of the data set.
        max_share: its ``max_broken_share``.
        test_mode: whether it is for validation or testing.

    Raises:
        InputError: there is no such policy or share, or images would be left out of a metric.
    """
    if policy not in POLICIES:
        raise InputError(
            'There is no such way to treat broken images.',
            f'on_broken={policy!r}',
            ' or '.join(map(repr, POLICIES)),
            'choose one of them',
        )
    if not 0 <= max_share <= 1:
        raise InputError(
            'There is no such share of images.',
            f'max_broken_share={max_share}',
            '0 to 1, e.g. 0.01 for one image in a hundred',
            'correct it',
        )
    if policy == 'skip' and test_mode:
        raise InputError(
            'Validation and testing do not skip broken images: the metrics would be those of '
            'another data set.',
            "on_broken='skip' with test_mode=True",
            "on_broken='stop'",
            'set it in train_dataloader.dataset only; mend or remove what is broken in the others',
        )


def broken_boxes(img_path: str, ann_file: str, annotations: Sequence[dict]) -> InputError:
    """Name the broken boxes of an image.

    Args:
        img_path: the image.
        ann_file: where the boxes stand.
        annotations: those whose ``bbox`` :func:`mmdet_digits.coco.structure.is_bbox` refuses.
    """
    return InputError(
        f'{img_path}: broken box.',
        ', '.join(f'bbox={a.get("bbox")} in annotation {a.get("id")}' for a in annotations),
        '[x, y, width, height], four finite numbers',
        f'correct it in {ann_file}, or remove the annotation',
    )
