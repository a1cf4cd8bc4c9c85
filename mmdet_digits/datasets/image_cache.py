"""Decoded images, kept for later epochs where all data workers share them.

``DIGITS_CACHE`` says where: ``auto`` (default) in memory if they take no more than a quarter of
what is free, ``ram`` in memory, ``off`` nowhere, or a folder, for a file that later runs use too.
"""

import mmap
import os
import re
import zlib
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import cv2
import numpy as np
from mmengine.logging import MMLogger

from mmdet_digits.utils.durable_files import write_durably
from mmdet_digits.utils.errors import InputError
from mmdet_digits.utils.files import check_writable

VARIABLE = 'DIGITS_CACHE'
PLACES = ('auto', 'ram', 'off')
SHARE = 0.25
ENTRY = np.dtype([('path', 'u4'), ('bytes', 'i8'), ('mtime_ns', 'i8'), ('pixels', 'u4')])
"""What is known of an image: CRC of its path, size and time of its file, CRC of its pixels."""

Version = tuple[int, int, int]
"""The first three of an :data:`ENTRY`."""


class ImageCache:
    """The pixels of a data set's images, each filled in when a data worker first decodes it.

    What was kept of another version of a file, or not written to its end, is decoded again.

    Args:
        shapes: (N, 2) height and width of each image in pixels, by its index in the data set.
        path: file that holds the pixels beyond this run; None for memory. Processes that are
            forked from this one share either, others the file only.

    Raises:
        RunError: the file does not fit on its disk.
    """

    def __init__(self, shapes: np.ndarray, path: Path | None = None) -> None:
        self.shapes = shapes
        self.path = path
        self._ends = len(shapes) * ENTRY.itemsize + np.cumsum(pixel_bytes(shapes))
        self._map_memory()

    def load(self, results: dict, decode: Callable[[dict], dict | None]) -> dict | None:
        """Add the pixels of an image to its ``results``.

        Args:
            results: of a data set's ``get_data_info``.
            decode: adds ``img``, ``img_shape`` and ``ori_shape`` to them.
        """
        row = results['sample_idx']
        version = file_version(results['img_path'])
        pixels = self._find(row, version)
        if pixels is None:
            results = decode(results)
            self._keep(row, version, results)
        else:
            shape = pixels.shape[:2]
            results.update(img=pixels, img_shape=shape, ori_shape=shape)
        return results

    def _find(self, row: int, version: Version | None) -> np.ndarray | None:
        entry = self._entries[row].item()
        if version is None or entry[:3] != version:
            return None
        pixels = self._slot(row).copy()  # transforms may work in place
        return pixels if zlib.crc32(pixels) == entry[3] else None

    def _keep(self, row: int, version: Version | None, results: dict | None) -> None:
        slot, pixels = self._slot(row), results and results['img']
        if version is None or pixels is None:
            return
        if pixels.dtype == slot.dtype and pixels.shape == slot.shape:
            slot[:] = pixels
            self._entries[row] = (*version, zlib.crc32(np.ascontiguousarray(pixels)))

    def _slot(self, row: int) -> np.ndarray:
        """Where the pixels of an image are, (H, W, 3) uint8."""
        shape = (*self.shapes[row].tolist(), 3)
        return np.ndarray(shape, np.uint8, self._memory, self._ends[row] - np.prod(shape))

    def _map_memory(self) -> None:
        size = int(self._ends[-1])
        if self.path is None:
            self._memory = mmap.mmap(-1, size)
        else:
            if not self.path.is_file() or self.path.stat().st_size != size:
                write_durably(self.path, bytes(size))
            with self.path.open('r+b') as file:
                self._memory = mmap.mmap(file.fileno(), size)
        self._entries = np.ndarray(len(self.shapes), ENTRY, self._memory)

    def __reduce__(self) -> tuple:
        """For a process that is not forked: it finds the file again, but not the memory."""
        return (ImageCache, (self.shapes, self.path)) if self.path else (type(None), ())


def open_cache(
    wanted: str | None, paths: list[str], shapes: np.ndarray, decoder: str, name: str
) -> ImageCache | None:
    """The cache of a data set, or None; logs which.

    Args:
        wanted: as the value of ``DIGITS_CACHE``; None for that.
        paths: of the N images, in the order of the data set.
        shapes: (N, 2) their heights and widths.
        decoder: what else the pixels depend on.
        name: of the data set.

    Raises:
        InputError: it is no such value, or the images do not fit.
        RunError: they do not fit on the disk.
    """
    wanted = wanted or os.environ.get(VARIABLE) or 'auto'
    needed = int(pixel_bytes(shapes).sum())
    place, reason = choose_place(wanted, needed, free_memory())
    text = f'{name}: {reason} (DIGITS_CACHE={wanted})'
    if place == 'off':
        cache = None
    elif place == 'ram':
        cache = ImageCache(shapes)
    else:
        check_writable(place)
        key = '\n'.join([decoder, cv2.__version__, *paths, str(shapes.tolist())])
        digest = blake2b(key.encode(errors='surrogateescape'), digest_size=8).hexdigest()
        cache = ImageCache(shapes, Path(place, f'{Path(name).stem}-{digest}.pixels'))
        text = f'{name}: decoded images, {needed / 2**20:,.0f} MiB, are kept in {cache.path}'
    MMLogger.get_current_instance().info(text)
    return cache


def choose_place(wanted: str, needed: int, free: int | None) -> tuple[str, str]:
    """Where decoded images are kept, and what to log of it.

    Args:
        wanted: a value of ``DIGITS_CACHE``.
        needed: bytes that they take.
        free: bytes of memory that are free; None where the system does not tell.

    Returns:
        ``'ram'``, ``'off'`` or a folder; and the reason.

    Raises:
        InputError: it is no such value, or the memory is too small.
    """
    size = f'{needed / 2**20:,.0f} MiB'
    if wanted == 'off':
        return 'off', 'images are decoded each time'
    if wanted == 'auto' and (free is None or needed > free * SHARE):
        known = 'an unknown amount' if free is None else f'{free / 2**20:,.0f} MiB'
        return 'off', (
            f'images are decoded each time: they would take {size} of memory, and {known} is free'
        )
    if wanted == 'ram' and free is not None and needed > free:
        raise InputError(
            f'{VARIABLE}=ram: the decoded images do not fit into the memory.',
            f'{size} of images, {free / 2**20:,.0f} MiB free',
            'more memory than images',
            f'{VARIABLE}=off, or {VARIABLE}=FOLDER on a fast disk',
        )
    if wanted in PLACES:
        return 'ram', f'decoded images, {size}, are kept in memory that the data workers share'
    if not re.search(r'[/\\]', wanted) and not Path(wanted).is_dir():
        raise InputError(
            f'{VARIABLE}={wanted}: no place to keep decoded images.',
            wanted,
            f'{", ".join(PLACES)} or a folder; a new one with a slash, such as ./{wanted}',
            f'correct {VARIABLE}',
        )
    return wanted, ''


def pixel_bytes(shapes: np.ndarray) -> np.ndarray:
    """Bytes of images as (H, W, 3) uint8, from their (N, 2) heights and widths."""
    return shapes.prod(axis=1) * 3


def file_version(path: str) -> Version | None:
    """What tells one version of a file from another; None if it is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116  (half the time of Path.stat)
    except OSError:
        return None
    return zlib.crc32(path.encode(errors='surrogateescape')), found.st_size, found.st_mtime_ns


def free_memory() -> int | None:
    """Bytes of memory that a new program could use; None where the system does not tell."""
    meminfo = Path('/proc/meminfo')
    text = meminfo.read_text(encoding='utf-8') if meminfo.is_file() else ''
    found = re.search(r'MemAvailable:\s*(\d+) kB', text)
    if not found:
        return None
    limits = [int(found[1]) * 2**10]
    group = Path('/sys/fs/cgroup')  # of a container
    files = [group / 'memory.max', group / 'memory.current']
    texts = [file.read_text(encoding='utf-8') for file in files if file.is_file()]
    if len(texts) == 2 and texts[0].strip().isdigit():
        limit, used = map(int, texts)
        limits.append(max(limit - used, 0))
    return min(limits)
