"""Write a folder of synthetic scenes in the HW2 format, with several processes."""

import contextlib
import hashlib
import json
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmdet_digits.coco.files import CATEGORIES
from mmdet_digits.coco.folders import FIX, SPLITS, FolderError, describe
from mmdet_digits.durable_files import write_durably
from mmdet_digits.errors import InputError, RunError
from mmdet_digits.files import LOCK, held_folder, write_file
from mmdet_digits.synthetic.parameters import GENERATOR_VERSION, LAYOUTS_VERSION, LOOKS
from mmdet_digits.synthetic.scenes import Scene, draw_scene
from mmdet_digits.synthetic.sources import DEFAULT, SceneSource, load_supplies

# What a data set of scenes is to hold, and image by image how it is drawn.


@dataclass(frozen=True)
class DatasetSpec:
    """What to draw. The same values give the same bytes.

    Args:
        train: Images in ``train/``.
        valid: Images in ``valid/``.
        test: Images in ``test/``.
        seed: Not negative.
        look: How hard the scenes are to read: ``'street'``, as SVHN, or ``'clear'``.
        source: What they are made from.
    """

    train: int = 2000
    valid: int = 200
    test: int = 200
    seed: int = 0
    look: str = 'street'
    source: SceneSource = DEFAULT

    def __post_init__(self):
        if self.look not in LOOKS:
            raise InputError(
                f'--look {self.look}: no such look.', self.look, ' or '.join(LOOKS), 'choose one'
            )
        for name, value in {**self.counts, 'seed': self.seed}.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise InputError(
                    f'--{name} {value}: not possible.',
                    repr(value),
                    'a whole number, 0 or more',
                    f'give another --{name}',
                )
        if not any(self.counts.values()):
            raise InputError(
                'There is nothing to draw.',
                '--train, --valid and --test are all 0',
                'at least one image',
                'give one of them a number',
            )

    @property
    def counts(self) -> dict[str, int]:
        """Images per split."""
        return {split: getattr(self, split) for split in SPLITS}

    def record(self) -> dict:
        """The values for JSON; ``source`` only where files or ingredients differ from the default.

        Files are named with a hash of what is in them: with other content they draw other scenes.
        """
        values = {**self.counts, 'seed': self.seed, 'look': self.look}
        source = self.source.record()
        return values | ({'source': source} if source else {})


def draw_image(spec: DatasetSpec, split: str, index: int) -> Scene:
    """Draw image ``index`` (from 1) of a split; its generator depends on nothing else."""
    sequence = np.random.SeedSequence((spec.seed, SPLITS.index(split), index))
    return draw_scene(np.random.default_rng(sequence), load_supplies(spec.source), look=spec.look)


# The marker ``synthetic.json`` of a folder of scenes: what made it, and whether it is whole.
#
# It is written first with ``"complete": false`` and last with ``"complete": true``; without it a
# folder is never touched.

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


CHUNK = 20  # images per task of a worker


@dataclass(frozen=True)
class SplitSummary:
    """What was written to one split.

    Args:
        split: ``'train'``, ``'valid'`` or ``'test'``.
        images: Number of images.
        digits: Number of boxes.
        lengths: How many numbers have each length.
        seconds: Wall time.
    """

    split: str
    images: int
    digits: int
    lengths: dict[int, int]
    seconds: float


def write_dataset(
    out: Path,
    spec: DatasetSpec,
    workers: int | None = None,
    overwrite: bool = False,
    on_progress: Callable[[str, int], None] | None = None,
    start_method: str | None = None,
) -> list[SplitSummary] | None:
    """Draw all images of ``spec`` into ``out``.

    Args:
        out: Folder; must be empty, not exist, or hold an earlier run of the same ``spec``.
        spec: What to draw.
        workers: Processes; default: the CPUs this process may use. The result is the same.
        overwrite: Replace an earlier run with other values: exactly the files it made.
        on_progress: Called with the split and the number of images that were added to it.
        start_method: ``'fork'``, ``'spawn'`` or ``'forkserver'``; default: Python's.

    Returns:
        One summary per split, or None if the folder already holds exactly this.

    Raises:
        FolderError: The folder is not ours, or holds something else; nothing is changed.
        InputError: Another process writes there, it cannot be written, ``workers`` is below 1, or a
            file of the source is not what it should be.
        RunError: A worker was ended from outside; the folder is marked as unfinished.
    """
    out = Path(out)
    workers = _cpus() if workers is None else workers
    if workers < 1:
        raise InputError(
            f'--workers {workers}: not possible.', str(workers), '1 or more', 'give another number'
        )
    load_supplies(spec.source)  # complains before anything is written; processes inherit it
    check_place(out)
    with held_folder(out):
        if not prepare_folder(out, spec, overwrite):
            return None
        return _draw(out, spec, workers, on_progress, start_method)


def _draw(
    out: Path,
    spec: DatasetSpec,
    workers: int,
    on_progress: Callable[[str, int], None] | None,
    start_method: str | None,
) -> list[SplitSummary]:
    write_marker(out, spec, complete=False)
    summaries, contents = [], {}
    tasks = sum(-(-count // CHUNK) for count in spec.counts.values())
    with _pool(min(workers, tasks), start_method) as run:
        for split, count in spec.counts.items():
            (out / split).mkdir(exist_ok=True)
            start = time.perf_counter()
            records = []
            for part in run(_write_chunk, list(_chunks(out, spec, split, count))):
                records += part
                if on_progress:
                    on_progress(split, len(part))
            contents[split] = coco(records)
            summaries.append(_summary(split, records, time.perf_counter() - start))
    for split, content in contents.items():
        write_file(out / f'{split}.json', json.dumps(content))
    write_marker(out, spec, complete=True)
    return summaries


def coco(records: list[dict]) -> dict:
    """COCO's dictionary from records of `_write_chunk`, which are in the order of the images."""
    images, annotations = [], []
    for record in records:
        index = record['index']
        image = {'id': index, 'file_name': f'{index}.png'}
        images.append(image | {'width': record['width'], 'height': record['height']})
        for digit, (x, y, w, h) in zip(record['digits'], record['bboxes'], strict=True):
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': index,
                    'category_id': int(digit) + 1,
                    'bbox': [x, y, w, h],
                    'area': w * h,
                    'iscrowd': 0,
                }
            )
    return {'images': images, 'annotations': annotations, 'categories': CATEGORIES}


def _chunks(
    out: Path, spec: DatasetSpec, split: str, count: int
) -> Iterator[tuple[Path, DatasetSpec, str, range]]:
    for start in range(1, count + 1, CHUNK):
        yield out, spec, split, range(start, min(start + CHUNK, count + 1))


def _write_chunk(task: tuple[Path, DatasetSpec, str, range]) -> list[dict]:
    """Draw and write some images; runs in a worker."""
    out, spec, split, indices = task
    records = []
    for index in indices:
        scene = draw_image(spec, split, index)
        _, data = cv2.imencode('.png', scene.image, [cv2.IMWRITE_PNG_COMPRESSION, 3])
        write_durably(out / split / f'{index}.png', data.tobytes(), flush=False)
        height, width = scene.image.shape[:2]
        record = {'index': index, 'width': width, 'height': height, 'digits': scene.digits}
        records.append(record | {'bboxes': scene.bboxes.tolist()})
    return records


def _start_worker() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's business
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when the main process is no more: the pool would wait for it for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _cpus() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _pool(workers: int, start_method: str | None) -> Iterator[Callable]:
    """Give a ``map`` that keeps the order, in this process or in several."""
    if workers == 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            yield map
        finally:
            cv2.setNumThreads(threads)
        return
    context = multiprocessing.get_context(start_method)
    executor = ProcessPoolExecutor(workers, context, _start_worker)

    def run(function: Callable, tasks: list) -> Iterator:
        # Not executor.map: it cancels the other tasks when one fails. While the pool marks them as
        # failed after a worker was killed, that ends its thread, and the other workers stay.
        futures = [executor.submit(function, task) for task in tasks]
        return (future.result() for future in futures)

    try:
        yield run
    except BrokenProcessPool as error:
        raise RunError(
            'A worker that draws images has ended before its work was done.',
            'a process that was killed, as the system does when memory runs out',
            f'{workers} workers to the end, with about 130 MB of memory each',
            'run the same command again; --workers 1 needs the least memory',
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _summary(split: str, records: list[dict], seconds: float) -> SplitSummary:
    lengths = Counter(len(record['digits']) for record in records)
    digits = sum(length * count for length, count in lengths.items())
    return SplitSummary(split, len(records), digits, dict(sorted(lengths.items())), seconds)
