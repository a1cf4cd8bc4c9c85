"""Pages of HTML that need nothing else: no other file, no JavaScript, no network."""

import base64
import io
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image


def render(template: str, **values: Any) -> str:
    """Fill in a template of this folder; texts are escaped.

    Args:
        template: its name.
        **values: what it names, all of it.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters['png'] = _png
    return environment.get_template(template).render(values)


def _png(picture: Image.Image) -> str:
    """The base64 of a PNG of a picture."""
    content = io.BytesIO()
    picture.save(content, 'PNG', optimize=True)
    return base64.b64encode(content.getvalue()).decode()
