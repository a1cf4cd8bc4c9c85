"""Put off the import of packages until something in them is used.

torchvision imports all of torch's compiler, and mmdet libraries for lanes, tracking and corrupted
images, whatever a config asks for. That takes as long as everything else that a tool imports.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

UNUSED = (
    'torch._dynamo',
    'imagecorruptions',
    'imgaug',
    'matplotlib',
    'scipy.interpolate',
    'sklearn',
)
"""What is imported for models and transforms that no config here has, or only for some."""


@contextmanager
def deferred(*packages: str) -> Iterator[None]:
    """Have imports of these packages stand for them, until they are used after the block.

    What is imported from one inside the block can be called, asked for attributes and given to
    ``isinstance`` later; inside the block it can only be given a name. Afterwards the packages are
    imported as ever. One that is imported already, or not installed, is left alone.

    Args:
        *packages: their names; of one inside another, the outer one is imported.
    """
    finder = _Finder(
        [name for name in packages if name not in sys.modules and importlib.util.find_spec(name)]
    )
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for module in finder.modules:
            del sys.modules[module.__name__]
            package, _, name = module.__name__.rpartition('.')
            if package in sys.modules:  # which import has given the module to
                delattr(sys.modules[package], name)
            module.deferring = False


class _Finder(MetaPathFinder, Loader):
    """Finds a :class:`_DeferredModule` for everything in some packages."""

    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = tuple(f'{name}.' for name in packages)
        self.modules: list[_DeferredModule] = []

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        known = f'{fullname}.'.startswith(self.packages)
        return ModuleSpec(fullname, self, is_package=True) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _DeferredModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        self.modules.append(module)


class _DeferredModule(ModuleType):
    """Stands for a module, which is imported when it is asked for something after the block."""

    deferring = True

    def __getattr__(self, name: str) -> Any:
        if not self.deferring:
            return getattr(importlib.import_module(self.__name__), name)
        if name.startswith('__'):
            raise AttributeError(name)
        return _DeferredName(self, name)


class _DeferredName:
    """Stands for what a module has under a name."""

    def __init__(self, module: _DeferredModule, name: str) -> None:
        self._module = module
        self._name = name

    def _imported(self) -> Any:
        if self._module.deferring:
            raise AttributeError(f'{self._module.__name__}.{self._name} is put off: not yet usable')
        return getattr(self._module, self._name)

    def __call__(self, *args, **kwargs) -> Any:
        return self._imported()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._imported(), name)

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, self._imported())
