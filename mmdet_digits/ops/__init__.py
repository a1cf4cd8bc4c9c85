"""The operators of mmcv, with or without a compiler."""

from .extension import ensure_ops

__all__ = ['ensure_ops']
