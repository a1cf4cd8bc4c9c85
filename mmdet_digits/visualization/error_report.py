"""The gallery of wrongly read numbers, as one picture and as one page that needs nothing else."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

from mmdet_digits.assembly.digit_confusion import (
    NO_DIGIT,
    confusion_rates,
    most_confused,
)
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.coco.structure import name_problem, unusable_name
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.annotations import Annotations
from mmdet_digits.evaluation.number_errors import NumberErrors
from mmdet_digits.files import write_image
from mmdet_digits.visualization.digit_pictures import (
    contact_sheet,
    crop_to_marks,
    draw_marks,
    load_rgb,
    read_marks,
    side_by_side,
    true_marks,
    with_caption,
)

PANEL = (300, 150)  # room for one enlarged image in pixels

KINDS = {
    'too_short': 'numbers with too few digits',
    'too_long': 'numbers with too many digits',
    'wrong_digit': 'numbers with as many digits, but wrong',
    'missed': 'digits missed',
    'extra': 'digits too many',
    'confused': 'digits taken for another',
    'order': 'edits in numbers read in another order',
}


@dataclass(frozen=True)
class Tile:
    """One wrongly read image.

    Attributes:
        name: Its file name.
        true: The true number.
        read: The number read.
        confidence: Confidence of the latter.
        distance: Edits between the two.
        picture: True boxes on the left, read ones on the right.
    """

    name: str
    true: str
    read: str
    confidence: float
    distance: int
    picture: Image.Image

    @property
    def caption(self) -> str:
        """What stands under it."""
        return f'{self.name}: true {self.true}, read {self.read} ({self.confidence:.2f})'


def make_tiles(
    errors: NumberErrors, annotations: Annotations, folder: Path | str, limit: int
) -> list[Tile]:
    """Draw the worst images.

    Args:
        errors: The errors.
        annotations: The true digits.
        folder: Where the images are.
        limit: How many at most.

    Raises:
        InputError: an image is not there, cannot be decoded or has another size.
    """
    tiles = []
    for image in errors.worst(limit):
        name = annotations.file_names[image]
        if name_problem(name):
            raise unusable_name(name, annotations.source)
        pixels = _load(Path(folder, name), annotations, image)
        panels = (
            true_marks(annotations.truth, image),
            read_marks(errors.detections, errors.numbers, image),
        )
        cut, moved = crop_to_marks(pixels, panels)
        if cut.size:  # not where all the boxes lie outside
            pixels, panels = cut, moved
        tiles.append(
            Tile(
                annotations.file_names[image],
                str(errors.truth[image]),
                str(errors.numbers.strings[image]),
                float(errors.numbers.confidences[image]),
                int(errors.distances[image]),
                side_by_side([draw_marks(pixels, marks, PANEL) for marks in panels]),
            )
        )
    return tiles


def save_gallery(path: Path | str, tiles: Sequence[Tile]) -> None:
    """Write all tiles as one PNG."""
    write_image(path, contact_sheet([with_caption(tile.picture, tile.caption) for tile in tiles]))


def error_page(errors: NumberErrors, tiles: Sequence[Tile], facts: dict[str, str]) -> str:
    """Write the HTML page; its pictures are inside it.

    Args:
        errors: The errors.
        tiles: The worst images.
        facts: What was compared, by name.
    """
    wrong = int((errors.distances > 0).sum())
    scores = errors.scores
    figures = {
        'numbers right': f'{100 * scores["accuracy"]:.1f} %',
        'numbers wrong': f'{wrong:,} of {len(errors.truth):,}',
        'digit error rate': f'{100 * scores["digit_error_rate"]:.1f} %',
        'kept at 98 % accuracy': f'{100 * scores["coverage_at_98"]:.1f} %',
    }
    return PAGE.substitute(
        facts=''.join(f'<dt>{escape(k)}</dt><dd>{escape(v)}</dd>' for k, v in facts.items()),
        figures=''.join(f'<li><b>{v}</b>{k}</li>' for k, v in figures.items()),
        kinds=_rows((text, f'{scores[key]:,}') for key, text in KINDS.items()),
        confusion=_confusion_rows(errors.confusion),
        pairs=_rows(
            (f'{p.true} read as {p.read}', f'{p.count:,}', f'{100 * p.rate:.1f} %')
            for p in most_confused(errors.confusion)
        )
        or '<tr><td>none</td></tr>',
        shown=f'{len(tiles):,} of {wrong:,}',
        tiles=''.join(map(_figure, tiles)) or '<p>Every number is right.</p>',
    )


def _load(path: Path, annotations: Annotations, image: int) -> np.ndarray:
    width, height = annotations.sizes[image].astype(int)
    try:
        pixels = load_rgb(path)
    except InputError as error:
        cause, found = error, error.found
    else:
        if pixels.shape[:2] == (height, width):
            return pixels
        cause, found = None, f'{pixels.shape[1]} x {pixels.shape[0]} px'
    raise InputError(
        f'{path}: cannot be drawn.',
        found,
        f'the image of that name in {annotations.source}, {width} x {height} px',
        'give the folder of its images by --images',
    ) from cause


def _rows(rows) -> str:
    return ''.join(
        '<tr>' + ''.join(f'<td>{escape(str(cell))}</td>' for cell in row) + '</tr>' for row in rows
    )


def _confusion_rows(counts: np.ndarray) -> str:
    names = (*DIGITS, 'missed')
    html = '<tr><th></th>' + ''.join(f'<th>{name}</th>' for name in names) + '</tr>'
    rates = confusion_rates(counts)
    for row, name in enumerate((*DIGITS, 'extra')):
        cells = []
        for column in range(NO_DIGIT + 1):
            kind = 'right' if row == column else 'wrong'
            text = f'{counts[row, column]:,}<small>{100 * rates[row, column]:.1f}</small>'
            shade = f'{rates[row, column] ** 0.5:.2f}'
            cells.append(
                f'<td class="{kind}" style="--share:{shade}">{text}</td>'
                if counts[row, column]
                else '<td></td>'
            )
        html += f'<tr><th>{name}</th>{"".join(cells)}</tr>'
    return html


def _figure(tile: Tile) -> str:
    buffer = io.BytesIO()
    tile.picture.save(buffer, 'PNG', optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(tile.caption)}" '
        f'width="{tile.picture.width}" height="{tile.picture.height}">'
        f'<figcaption><span class="name">{escape(tile.name)}</span> '
        f'<span class="true">{escape(tile.true)}</span> read as '
        f'<span class="read">{escape(tile.read)}</span> '
        f'<span class="how">{tile.distance} edit{"s" * (tile.distance > 1)}, '
        f'confidence {tile.confidence:.2f}</span></figcaption></figure>'
    )


PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Number errors</title>
<style>
:root { color-scheme: light dark; --paper: #fafaf9; --ink: #1c1917; --soft: #6b6560;
  --line: #dedad6; --card: #fff; --true: #15803d; --read: #1d4ed8;
  --right: 37, 99, 235; --wrong: 220, 38, 38; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #18181b; --ink: #f4f4f5; --soft: #a1a1aa; --line: #3f3f46; --card: #232327;
    --true: #4ade80; --read: #93c5fd; --right: 59, 130, 246; --wrong: 239, 68, 68; } }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 1320px; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 .5rem; font-size: 1.8rem; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.2rem; }
p, dt, .how, caption { color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; }
dd { margin: 0; overflow-wrap: anywhere; }
ul { display: flex; flex-wrap: wrap; gap: 1rem 3rem; padding: 0; list-style: none; }
li b { display: block; font-size: 1.6rem; line-height: 1.2; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
td:first-child { text-align: left; }
.columns { display: flex; flex-wrap: wrap; gap: 0 4rem; }
.scroll { overflow-x: auto; }
.matrix td { min-width: 2.6rem; padding: .3rem .4rem; border: 1px solid var(--line);
  text-align: center; line-height: 1.15; }
.matrix th { border: 0; text-align: center; }
.matrix small { display: block; color: inherit; opacity: .75; font-size: .72rem; }
.right { background: rgba(var(--right), calc(.55 * var(--share))); }
.wrong { background: rgba(var(--wrong), calc(.85 * var(--share))); }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(400px, 100%), 1fr));
  gap: 1.25rem; }
figure { margin: 0; padding: .75rem; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; border-radius: 4px; }
figcaption { margin-top: .6rem; }
.name { color: var(--soft); margin-right: .5rem; }
.true, .read { font-weight: 700; font-size: 1.15rem; font-variant-numeric: tabular-nums; }
.true { color: var(--true); } .read { color: var(--read); }
.how { display: block; font-size: .88rem; }
</style>
</head>
<body>
<h1>Number errors</h1>
<dl>$facts</dl>
<ul>$figures</ul>
<div class="columns">
<section><h2>Kinds of error</h2><table>$kinds</table></section>
<section><h2>Most confused digits</h2><table>$pairs</table></section>
</div>
<h2>Which digit is read as which</h2>
<p>Rows are true digits, columns what was read; under each count its share of the row in percent.
The row "extra" has the detections where no digit is.</p>
<div class="scroll"><table class="matrix">$confusion</table></div>
<h2>The worst numbers ($shown)</h2>
<p>Most edits first, then the most confident. On the left the true boxes (green), on the right those
read (blue) and those dropped (grey, dashed, with the rule that dropped them). The pictures are cut
to the boxes.</p>
<div class="gallery">$tiles</div>
</body>
</html>
""")
