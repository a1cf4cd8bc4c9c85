"""Synthetic multi-digit scenes in the HW2 format, drawn on the CPU without torch or mmdet.

``draw_scene`` draws one labelled image from a random generator, ``write_dataset`` a folder of them.
"""

from mmdet_digits.datasets.synthetic.glyphs import GlyphSet, load_glyphs
from mmdet_digits.datasets.synthetic.scenes import Scene, draw_scene
from mmdet_digits.datasets.synthetic.writer import DatasetSpec, write_dataset

__all__ = ['DatasetSpec', 'GlyphSet', 'Scene', 'draw_scene', 'load_glyphs', 'write_dataset']
