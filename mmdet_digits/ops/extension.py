"""Put torchvision's kernels where mmcv looks for its compiled operators.

``mmcv.ops`` asks the compiled module ``mmcv._ext`` for every operator at import. An mmcv installed
without a compiler has no such module, and mmdet then goes on with functions that fail when they are
called. :func:`ensure_ops` registers a module of that name, and repeats the imports that failed
without it. Its functions are those of :mod:`.torchvision_kernels` and :mod:`.deformable_attention`;
any other operator raises when it is called.
"""

import ast
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from functools import partial
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

import torchvision

from . import deformable_attention
from . import torchvision_kernels as kernels

EXTENSION = 'mmcv._ext'
ORIGIN = 'torchvision'
BUILD_COMMANDS = """
    pip install "setuptools>=80,<82" wheel packaging
    pip install --force-reinstall --no-deps --no-cache-dir --no-build-isolation \\
        --no-binary onedl-mmcv onedl-mmcv==2.3.6
It needs a C++ compiler, and for CUDA also nvcc (FORCE_CUDA=1 where no GPU is present)."""


def ensure_ops() -> str:
    """Make ``mmcv.ops`` importable and useful, for mmdet too if that is imported already.

    Compiled operators are used where they exist. May be called any number of times. What of mmdet
    does not load without operators, ``mmdet.models`` first of all, can only be imported after it.

    Returns:
        str: ``'compiled'`` for mmcv's own operators, ``'torchvision'`` for the replacements.

    Raises:
        RuntimeError: If mmcv's compiled operators exist but cannot be loaded. Not an ImportError,
            which both mmdet and MMEngine's ``custom_imports`` would hide.
    """
    loaded = sys.modules.get(EXTENSION)
    if loaded is not None and loaded.__spec__.origin == ORIGIN:
        return 'torchvision'
    if importlib.util.find_spec(EXTENSION) is not None:
        _load_compiled()
        return 'compiled'
    sys.modules[EXTENSION] = importlib.import_module('mmcv')._ext = _build_extension()
    _repeat_imports()
    return 'torchvision'


def _load_compiled() -> None:
    try:
        importlib.import_module(EXTENSION)
    except ImportError as error:
        raise RuntimeError(
            f"mmcv's compiled operators do not load: {error}. They were probably built for another "
            f'torch; build them again:{BUILD_COMMANDS}'
        ) from error


def _repeat_imports() -> None:
    """Give the modules of mmdet that are imported already the operators that they did not find.

    Each has tried to import them, and has defined functions of the same names that only fail.
    """
    for name, module in list(sys.modules.items()):
        if not name.startswith('mmdet.') or 'mmcv.ops' not in (source := inspect.getsource(module)):
            continue
        tried = [part for part in ast.parse(source).body if isinstance(part, ast.Try)]
        for part in (part for attempt in tried for part in attempt.body):
            if isinstance(part, ast.ImportFrom) and part.module.startswith('mmcv.ops'):
                ops = importlib.import_module(part.module)
                for found in part.names:
                    setattr(module, found.asname or found.name, getattr(ops, found.name))


def _build_extension() -> ModuleType:
    """Return the module that answers to ``mmcv._ext``.

    It has a spec, because ``find_spec`` on a loaded module without one raises.
    """
    module = ModuleType(EXTENSION, "torchvision's kernels in place of mmcv's compiled operators.")
    module.__spec__ = ModuleSpec(EXTENSION, loader=None, origin=ORIGIN)
    for function in (
        kernels.nms,
        kernels.softnms,
        kernels.roi_align_forward,
        kernels.roi_align_backward,
        deformable_attention.ms_deform_attn_forward,
        deformable_attention.ms_deform_attn_backward,
        get_compiler_version,
        get_compiling_cuda_version,
    ):
        setattr(module, function.__name__, function)
    module.__getattr__ = _missing_op
    return module


def get_compiler_version() -> str:
    """Return what environment reports print as mmcv's compiler."""
    return f'none (kernels of torchvision {torchvision.__version__})'


def get_compiling_cuda_version() -> str:
    """Return what environment reports print as the CUDA version that mmcv was compiled with."""
    return 'not available'


def _missing_op(name: str) -> Callable[..., NoReturn]:
    """Return a stand-in for operator ``name``: mmcv requires that all exist at import.

    A partial of a module-level function, so that it can be pickled. Names with an underscore belong
    to Python's introspection and stay absent.
    """
    if name.startswith('_'):
        raise AttributeError(f'module {EXTENSION!r} has no attribute {name!r}')
    return partial(_raise_missing, name)


def _raise_missing(name: str, *args: object, **kwargs: object) -> NoReturn:
    raise NotImplementedError(
        f'{name} needs an mmcv with compiled operators. This one has none, and of those only nms, '
        'softnms, roi_align and ms_deform_attn are replaced. Build mmcv with its operators:'
        f'{BUILD_COMMANDS}'
    )
