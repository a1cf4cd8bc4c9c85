"""The marker ``synthetic.json`` of a folder of scenes: what made it, and whether it is whole.

It is written first with ``"complete": false`` and last with ``"complete": true``; without it a
folder is never touched.
"""

import contextlib
import hashlib
import json
from pathlib import Path

from mmdet_digits.coco.folders import FIX, SPLITS, FolderError, describe
from mmdet_digits.files import LOCK, write_file
from mmdet_digits.synthetic.parameters import GENERATOR_VERSION, LAYOUTS_VERSION
from mmdet_digits.synthetic.spec import DatasetSpec

MARKER = 'synthetic.json'


def check_place(out: Path) -> None:
    """Raise FolderError if ``out`` is a link, or no folder though it is there."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise FolderError(f'{out}: scenes cannot be written there.', describe(out), 'a folder', FIX)


def prepare_folder(out: Path, spec: DatasetSpec, overwrite: bool) -> bool:
    """Decide whether ``out`` may be written, and clear an earlier run from it if so.

    Returns:
        False if it already holds exactly ``spec``.

    Raises:
        FolderError: It may not.
    """
    if not out.exists() or all(path.name == LOCK for path in out.iterdir()):
        out.mkdir(parents=True, exist_ok=True)
        return True
    marker = _read_marker(out)
    wished = _marker(spec.record(), complete=True)
    if not overwrite:
        if any(marker[key] != wished[key] for key in ('spec', 'generator_version')):
            raise FolderError(
                f'{out} holds other synthetic data; nothing was changed.',
                _tell(marker),
                _tell(wished),
                'add --overwrite to replace it, or give another --out',
            )
        if marker['complete']:
            damage = _damage(out, marker)
            if damage:
                raise FolderError(
                    f'{out} is not as it was drawn; nothing was changed.',
                    damage,
                    'every file as it was drawn',
                    'add --overwrite to draw it again, or give another --out',
                )
            return False
    _clear(out, marker['spec'])
    return True


def write_marker(out: Path, spec: DatasetSpec, complete: bool) -> None:
    """Write the marker: at first as of an unfinished run, at the end with hashes of the files."""
    marker = _marker(spec.record(), complete)
    if complete:
        marker['sha256'] = {f'{s}.json': _sha256(out / f'{s}.json') for s in SPLITS}
    write_file(out / MARKER, json.dumps(marker))


def _marker(record: dict, complete: bool) -> dict:
    layouts = record.get('source', {}).get('layouts')
    return {
        'made_by': 'tools/prepare_data.py synthetic',
        'generator_version': LAYOUTS_VERSION if layouts else GENERATOR_VERSION,
        'spec': record,
        'complete': complete,
    }


def _read_marker(out: Path) -> dict:
    path = out / MARKER
    if not path.is_file():
        raise FolderError(
            f'{out} was not made by this command; nothing was changed.',
            f'{describe(out)} but no {MARKER}',
            'an empty folder, or one that this command made',
            FIX,
        )
    try:
        marker = json.loads(path.read_text(encoding='utf-8'))
        values = {key: value for key, value in marker['spec'].items() if key != 'source'}
        marker['spec'] = DatasetSpec(**values).record() | marker['spec']
        _ = marker['complete'], marker['generator_version'], dict(marker['spec'].get('source', {}))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FolderError(
            f'{path} is not readable as the marker of synthetic data; nothing was changed.',
            f'{type(error).__name__}: {error}',
            'the file as this command wrote it',
            FIX,
        ) from error
    linked = [split for split in SPLITS if (out / split).is_symlink()]
    if linked:
        raise FolderError(
            f'{out}/{linked[0]} is a link; nothing was changed.',
            describe(out / linked[0]),
            'a folder made by this command',
            'remove the link, or give another --out',
        )
    return marker


def _tell(marker: dict) -> str:
    """The values of a marker, as the command line has them."""
    values = dict(marker['spec'])
    source = values.pop('source', {})
    without = ' '.join(source.get('without', ()))
    values |= source | ({'without': without} if without else {})
    told = ' '.join(f'--{name.replace("_", "-")} {value}' for name, value in values.items())
    unfinished = '' if marker['complete'] else ', unfinished'
    return f'{told} (generator {marker["generator_version"]}{unfinished})'


def _damage(out: Path, marker: dict) -> str:
    """Say what differs from what was written, or ''. Image contents are not read."""
    for split in SPLITS:
        folder, count = out / split, marker['spec'][split]
        found = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
        missing = [n for n in (f'{i}.png' for i in range(1, count + 1)) if n not in found]
        if missing:
            return f'{split}/ lacks {len(missing)} of {count} images, the first is {missing[0]}'
        path = out / f'{split}.json'
        if not path.is_file():
            return f'{path.name} is missing'
        if _sha256(path) != marker.get('sha256', {}).get(path.name):
            return f'{path.name} was changed'
    return ''


def _clear(out: Path, record: dict) -> None:
    """Remove what a run with these values makes, and nothing else; the marker stays, unfinished."""
    write_file(out / MARKER, json.dumps(_marker(record, complete=False)))
    for split in SPLITS:
        (out / f'{split}.json').unlink(missing_ok=True)
        for index in range(1, record[split] + 1):
            (out / split / f'{index}.png').unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (out / split).rmdir()  # only if empty


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
