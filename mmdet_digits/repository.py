"""Where the configs, the released weights and the tools lie."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / '.mim'  # where a wheel has them, as those of OpenMMLab do

REPOSITORY = _SHIPPED if _SHIPPED.is_dir() else _PACKAGE.parent
"""The folder of ``configs/``, ``models/`` and ``tools/``."""

DATA_ROOT = (Path.cwd() if _SHIPPED.is_dir() else REPOSITORY) / 'data' / 'digits'
"""Where the data set is looked for, unless ``DIGITS_DATA_ROOT`` says otherwise."""
