"""The ten digit classes and how the categories of a COCO file map to them."""

from collections.abc import Sequence

from mmdet_digits.errors import InputError

DIGITS = tuple('0123456789')

#: SVHN's own label for zero.
ZERO_ALIAS = '10'


def map_categories(
    categories: Sequence[dict], ann_file: str, classes: Sequence[str] = DIGITS
) -> list[int]:
    """Find each class among the categories of a COCO file, by name.

    Neither the order nor the ids of the categories matter. A category named ``'10'`` is taken for
    the digit zero, as SVHN names it, where no category is named ``'0'``.

    Args:
        categories: the ``categories`` list of a COCO file, each with ``id`` and ``name``.
        ann_file: path of that file, for the message.
        classes: class names in label order.

    Returns:
        The category id of each class, in the order of ``classes``.

    Raises:
        InputError: a class is missing, a name is unknown, or a name stands twice.
    """
    names = [str(category.get('name', '?')) for category in categories]
    if ZERO_ALIAS in names and '0' not in names:
        names[names.index(ZERO_ALIAS)] = '0'
    missing = [name for name in classes if name not in names]
    unknown = [name for name in names if name not in classes]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if missing or unknown or repeated:
        raise InputError(
            f'{ann_file}: the categories do not match the classes.',
            ', '.join(names) or 'none',
            f'{", ".join(classes)} (in any order, under any ids)\n'
            f'  missing: {", ".join(missing) or "none"}; unknown: {", ".join(unknown) or "none"}; '
            f'repeated: {", ".join(repeated) or "none"}',
            f'rename the categories in {ann_file}',
        )
    id_of = {name: category['id'] for name, category in zip(names, categories, strict=True)}
    return [id_of[name] for name in classes]
