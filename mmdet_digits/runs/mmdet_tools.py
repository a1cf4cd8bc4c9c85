"""The analysis scripts that mmdet ships inside its wheel, run with this project's modules."""

import difflib
import os
import runpy
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import mmdet
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import TRANSFORMS

import mmdet_digits.register  # noqa: F401  (what configs name, and the operators)
from mmdet_digits.errors import InputError
from mmdet_digits.repository import tool_command

SCRIPTS = Path(mmdet.__file__).parent / '.mim' / 'tools'

#: Script under ``SCRIPTS`` -> what it does. All of these were tried with this project's configs.
TOOLS = {
    'analysis_tools/analyze_results.py': 'pictures of the best and worst images of a .pkl',
    'analysis_tools/browse_dataset.py': 'training images as the pipeline makes them, with boxes',
    'analysis_tools/confusion_matrix.py': 'confusion matrix of a .pkl as a picture',
    'analysis_tools/get_flops.py': 'operations and parameters of a model',
    'misc/print_config.py': 'a config with everything that it inherits',
}

#: Script that does not serve here -> why.
LEFT_OUT = {
    'analyze_logs': 'it knows no names with a slash; use '
    f'{tool_command("analysis_tools/plot_run")}',
    'benchmark': 'it needs psutil, which does not come along; benchmarks/README.md has the speed',
    'coco_error_analysis': 'it wants a supercategory for each category',
    'eval_metric': 'it scores test predictions against val_evaluator; use '
    f'{tool_command("evaluate")}',
    'fuse_results': 'it stops with an AttributeError: it reads an argument that it does not have',
    'get_image_metas': 'it reads no JSON annotations',
    'optimize_anchors': 'it is for YOLO',
    'publish_model': "it cannot load MMEngine's checkpoints with today's torch",
}


def list_tools() -> dict[str, str]:
    """Return what each script does, by its name."""
    return {Path(script).stem: purpose for script, purpose in TOOLS.items()}


def find_tool(name: str) -> Path:
    """Return the file of a script.

    Args:
        name: Its name, with or without ``.py``.

    Raises:
        InputError: there is none of that name, it does not serve here, or mmdet was installed
            without its scripts.
    """
    name = name.removesuffix('.py')
    scripts = {Path(script).stem: SCRIPTS / script for script in TOOLS}
    if name not in scripts:
        near = difflib.get_close_matches(name, scripts, n=1)
        raise InputError(
            f'{name} cannot be run.',
            f'left out: {LEFT_OUT[name]}' if name in LEFT_OUT else 'an unknown name',
            f'one of {", ".join(scripts)}',
            f'did you mean {near[0]}?' if near else 'choose one of these',
        )
    if not scripts[name].is_file():
        raise InputError(
            f'{scripts[name]}: no such script.',
            f'mmdet {mmdet.__version__} without its tools',
            "mmdet's wheel, which has them",
            'install it again: pip install -r requirements.txt',
        )
    return scripts[name]


def run_mmdet_tool(name: str, arguments: Sequence[str], data_root: Path | str) -> None:
    """Run a script as if it had been called from the command line.

    Args:
        name: Of the script.
        arguments: For it.
        data_root: What configs take as ``DIGITS_DATA_ROOT``.

    Raises:
        InputError: as :func:`find_tool`; or a file that the script reads is not there.
    """
    script = str(find_tool(name))
    os.environ['DIGITS_DATA_ROOT'] = str(data_root)
    sys.argv = [script, *arguments]
    try:
        with image_loader(LoadImageFromFile if name.startswith('analyze_results') else None):
            runpy.run_path(script, run_name='__main__')
    except FileNotFoundError as error:
        raise InputError(
            f'{error.filename}: no such file.',
            'nothing',
            f'what mmdet_tool.py {name} --help asks for',
            'correct the path',
        ) from error


@contextmanager
def image_loader(loader: type | None) -> Iterator[None]:
    """Within, mmdet's registry has another class that loads images, or its own for None.

    ``analyze_results`` knows image loaders by their class, mmcv's only.
    """
    names = ('LoadImageFromFile', 'LoadCheckedImage')
    before = {name: TRANSFORMS.get(name) for name in names if loader}
    try:
        for name in before:
            TRANSFORMS.register_module(name=name, module=loader, force=True)
        yield
    finally:
        for name, own in before.items():
            TRANSFORMS.register_module(name=name, module=own, force=True)
