"""Fonts of the user."""

from pathlib import Path

import numpy as np

from mmdet_digits.errors import InputError
from mmdet_digits.files import check_folder
from mmdet_digits.synthetic.glyphs import DIGITS, INK, Face, fit_glyph, truetype_ink
from mmdet_digits.synthetic.user_files import files_of

FONTS = ('.ttf', '.otf', '.ttc')
LINING = 0.8  # least height of a lining digit / height of the largest one


def read_font_faces(folder: Path | str) -> tuple[dict[str, Face], list[str]]:
    """Render the digits of every font below a folder.

    Returns:
        A face per font, and what is to be told about those left out.

    Raises:
        InputError: There is no such folder, or no font in it has ten lining digits.
    """
    what = f'a folder of fonts ({", ".join(FONTS)})'
    check_folder(folder, what)
    faces, unfit = {}, []
    for path in files_of(folder, FONTS):
        name = str(path.relative_to(folder))
        ink, problem = _digits_of(path)
        if problem:
            unfit.append(f'{name} ({problem})')
        else:
            faces[name] = tuple(map(fit_glyph, ink))
    listed = ', '.join(unfit[:5]) + (f' and {len(unfit) - 5:,} more' if len(unfit) > 5 else '')
    if not faces:
        raise InputError(
            f'{folder}: no font to draw digits with.',
            listed or 'no font file',
            f'{what} with lining digits',
            'add fonts, or give another folder',
        )
    notes = [f'{folder}: {len(unfit):,} of the fonts are left out: {listed}.'] if unfit else []
    return faces, notes


def _digits_of(path: Path) -> tuple[list[np.ndarray], str]:
    """The ink of a font's ten digits, and what is wrong with them, or ''."""
    try:
        ink = truetype_ink(path, DIGITS)
    except (OSError, ValueError) as error:
        return [], f'not readable: {error}'
    rows = [np.flatnonzero((canvas >= INK).any(axis=1)) for canvas in ink]
    if not all(map(len, rows)):
        return ink, 'lacks digits'
    if len({canvas.tobytes() for canvas in ink}) < len(ink):
        return ink, 'draws different digits alike'
    heights = [np.ptp(inked) for inked in rows]
    return ink, 'no lining digits' if min(heights) < LINING * max(heights) else ''
