"""Where the configs, the released weights and the tools lie."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / '.mim'  # where a wheel has them, as those of OpenMMLab do

_INSTALLED = _SHIPPED.is_dir()

REPOSITORY = _SHIPPED if _INSTALLED else _PACKAGE.parent
"""The folder of ``configs/``, ``models/`` and ``tools/``."""

DATA_ROOT = (Path.cwd() if _INSTALLED else REPOSITORY) / 'data' / 'digits'
"""Where the data set is looked for, unless ``DIGITS_DATA_ROOT`` says otherwise."""


def tool_command(tool: str) -> str:
    """How a tool is called: ``python tools/train.py``, or ``mmdet-digits train`` from a wheel.

    Args:
        tool: its path below ``tools/``, without the ending.
    """
    return f'mmdet-digits {Path(tool).name}' if _INSTALLED else f'python tools/{tool}.py'
