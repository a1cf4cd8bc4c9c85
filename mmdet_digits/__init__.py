"""Detect digits with MMDetection and read them as numbers.

Importing this package costs nothing: ``NumberReader`` is loaded when it is first used, without
torch, and ``mmdet_digits.register`` is what adds the project's modules to mmdet's registries.
"""

__version__ = '0.1.0'
__all__ = ['NumberReader']


def __getattr__(name: str):
    if name == 'NumberReader':
        from mmdet_digits.reader.number_reader import NumberReader

        return NumberReader
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
