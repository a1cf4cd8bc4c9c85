"""Detect digits with MMDetection and read them as numbers.

Importing this package costs nothing: ``mmdet_digits.register`` is what adds the project's modules
to mmdet's registries.
"""

__version__ = '0.1.0'
