"""Detect digits with MMDetection and read them as numbers.

Importing this package costs nothing: ``mmdet_digits.register`` is what adds the project's modules
to mmdet's registries.
"""

import os

# GNU OpenMP lets threads that wait for each other spin for milliseconds. Where anything else runs
# on the machine that makes training many times slower. A third of their patience is a compromise:
# a tenth of it made a step of the tiny detector a tenth longer on two free cores. Read when torch
# is loaded, so this package comes first in every tool.
os.environ.setdefault('GOMP_SPINCOUNT', '100000')

__version__ = '0.1.0'
