"""Puts configs, released weights and tools into the wheel; all else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ('configs', 'models', 'tools', 'requirements.txt', 'pyproject.toml')


class BuildWithExperiment(build_py):
    """Builds the package with ``.mim`` inside, where OpenMMLab's packages have such files."""

    def run(self) -> None:
        """Copy the package, then what belongs to it."""
        super().run()
        if self.editable_mode:  # then they are read where they are
            return
        target = Path(self.build_lib, 'mmdet_digits', '.mim')
        for name in SHIPPED:
            if Path(name).is_dir():
                skipped = shutil.ignore_patterns('__pycache__')
                shutil.copytree(name, target / name, dirs_exist_ok=True, ignore=skipped)
            else:
                shutil.copy(name, target / name)


setup(cmdclass={'build_py': BuildWithExperiment})
