"""Synthetic multi-digit scenes in the HW2 format, drawn on the CPU without torch or mmdet.

``draw_scene`` draws one labelled image from a random generator, ``write_dataset`` a folder of them;
``SceneSource`` says what they are made from.
"""

from mmdet_digits.synthetic.scenes import Scene, draw_scene
from mmdet_digits.synthetic.sources import SceneSource, Supplies, load_supplies
from mmdet_digits.synthetic.writer import DatasetSpec, write_dataset

__all__ = [
    'DatasetSpec',
    'Scene',
    'SceneSource',
    'Supplies',
    'draw_scene',
    'load_supplies',
    'write_dataset',
]
