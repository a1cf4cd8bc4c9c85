"""Number assemblies of command lines, configs and prediction files.

The assembly travels with the model. What writes predictions also writes the assembly of their
config beside them, ``pred.assembly.json`` beside ``pred.json``, and what reads predictions uses it
unless its ``--assembly`` asks for another.
"""

import difflib
import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from mmdet_digits.assembly.number_assembly import (
    PRESETS,
    NumberAssembly,
    resolve_assembly,
)
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.evaluators import metrics_of
from mmdet_digits.files import read_json, write_file


def read_assembly(spec: str | Mapping | NumberAssembly) -> NumberAssembly:
    """Turn what a command line or a config says into a setting.

    Args:
        spec: a preset's name, or the path of a JSON file with fields of ``NumberAssembly``, or
            whatever :func:`resolve_assembly` takes.

    Raises:
        InputError: neither such a preset nor such a file, or the file has other fields.
        ValueError: as :func:`resolve_assembly`.
    """
    if not isinstance(spec, str):
        return resolve_assembly(spec)
    if spec in PRESETS:
        return PRESETS[spec]
    if not Path(spec).is_file():
        near = difflib.get_close_matches(spec, PRESETS, n=1)
        raise InputError(
            f'{spec}: neither a preset nor a file.',
            'a folder' if Path(spec).is_dir() else 'nothing of that name',
            f'{", ".join(PRESETS)}, or a JSON file such as tune_assembly.py writes',
            f'did you mean {near[0]}?' if near else 'correct the name',
        )
    content = read_json(spec, 'a JSON object with fields of NumberAssembly')
    try:
        return resolve_assembly(content)
    except (TypeError, ValueError) as error:
        raise InputError(
            f'{spec}: not a number assembly.',
            str(error),
            'a JSON object such as {"preset": "default", "score_thr": 0.4}',
            'correct that field',
        ) from error


def assembly_of(cfg: Mapping) -> NumberAssembly:
    """The assembly that a config was made for: that of its test's first ``NumberMetric``.

    Args:
        cfg: the config; ``test_evaluator`` is one metric, a list of them or an ``Evaluator``.

    Returns:
        The assembly, the default one where the config has none.

    Raises:
        InputError: it names neither a preset nor a file.
    """
    return read_assembly(assembly_spec(cfg.get('test_evaluator')) or 'default')


def assembly_for(cfg: Mapping, source: str, wanted: str | None) -> tuple[NumberAssembly, str]:
    """The assembly by which the detections of a config become numbers, and which one that is.

    Args:
        cfg: the config.
        source: its path.
        wanted: what ``--assembly`` says; None for the one of the config.

    Raises:
        InputError: as :func:`read_assembly`.
    """
    assembly = read_assembly(wanted) if wanted else assembly_of(cfg)
    whose = f'--assembly {wanted}' if wanted else source
    return assembly, f'{describe_assembly(assembly)} ({whose})'


def assembly_spec(evaluator) -> str | Mapping | NumberAssembly | None:
    """What the first ``NumberMetric`` of a config's evaluator says; None where there is none."""
    of_metrics = (
        m.get('assembly') for m in metrics_of(evaluator) if m.get('type') == 'NumberMetric'
    )
    return next(of_metrics, None)


def assembly_file(pred: str | Path) -> Path:
    """The file beside saved predictions that holds their assembly.

    Args:
        pred: the predictions: ``pred.json`` (gzipped or not) or a ``.pkl``.
    """
    name = Path(pred).name.removesuffix('.gz')
    return Path(pred).with_name(f'{Path(name).stem}.assembly.json')


def write_assembly_beside(pred: str | Path, assembly: NumberAssembly) -> None:
    """Write the assembly of saved predictions, see :func:`assembly_file`."""
    write_file(assembly_file(pred), assembly_json(assembly))


def assembly_beside(pred: str | Path) -> NumberAssembly | None:
    """Read the assembly of saved predictions; None where none is beside them.

    Raises:
        InputError: the file is not a number assembly.
    """
    path = assembly_file(pred)
    return read_assembly(str(path)) if path.is_file() else None


def choose_assembly(wanted: str | None, pred: str | Path) -> tuple[NumberAssembly, str]:
    """The assembly by which the numbers of saved predictions are made, and which one that is.

    Args:
        wanted: what ``--assembly`` says; None for the one of the predictions, or else the default.
        pred: the predictions.

    Raises:
        InputError: as :func:`read_assembly`.
    """
    if wanted:
        assembly, source = read_assembly(wanted), '--assembly'
    elif assembly := assembly_beside(pred):
        source = str(assembly_file(pred))
    else:
        assembly, source = PRESETS['default'], f'there is no {assembly_file(pred)}'
    return assembly, f'{describe_assembly(assembly)} ({source})'


def describe_assembly(assembly: NumberAssembly) -> str:
    """Name a preset, or what differs from the default one."""
    for name, preset in PRESETS.items():
        if preset == assembly:
            return name
    changed = (f'{key}={value}' for key, value in assembly_overrides(assembly).items())
    return f'default with {", ".join(changed)}'


def assembly_json(assembly: NumberAssembly) -> str:
    """Write out every field, so that the file means the same after a preset has changed."""
    return json.dumps(asdict(assembly), indent=2) + '\n'


def assembly_overrides(assembly: NumberAssembly) -> dict:
    """Return the fields that differ from the default preset."""
    default = asdict(PRESETS['default'])
    return {key: value for key, value in asdict(assembly).items() if value != default[key]}


def config_line(assembly: NumberAssembly) -> str:
    """Return the evaluator of a config that uses this assembly, as Python source."""
    fields = ', '.join(f'{key}={value!r}' for key, value in assembly_overrides(assembly).items())
    return f"dict(type='NumberMetric', assembly=dict({fields}))"


def config_options(path: str | Path, evaluator: int = 1) -> str:
    """Return the arguments that make ``tools/test.py`` use the assembly in a JSON file.

    They replace the config's own assembly as a whole, whatever fields that one sets.

    Args:
        path: The file.
        evaluator: Place of ``NumberMetric`` in the config's ``test_evaluator``.
    """
    return f'--cfg-options +test_evaluator.{evaluator}.assembly={shlex.quote(str(path))}'
