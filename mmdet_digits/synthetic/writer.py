"""Write a folder of synthetic scenes in the HW2 format, with several processes."""

import contextlib
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

from mmdet_digits.coco.files import CATEGORIES
from mmdet_digits.durable_files import write_durably
from mmdet_digits.errors import InputError, RunError
from mmdet_digits.files import held_folder, write_file
from mmdet_digits.synthetic.markers import check_place, prepare_folder, write_marker
from mmdet_digits.synthetic.sources import load_supplies
from mmdet_digits.synthetic.spec import DatasetSpec, draw_image

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
