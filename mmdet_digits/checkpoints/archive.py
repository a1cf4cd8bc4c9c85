"""The zip archives that ``torch.save`` writes, checked from end to end."""

import re
import stat
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from mmdet_digits.checkpoints.stand_ins import RefusedError

RECORD = re.compile(
    r'(?P<root>(?!\.{1,2}/)[^/\\]+)/'
    r'(data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment'
    r'|\.data/serialization_id)'
)


def read_pickle(path: Path, whole: bool = True) -> bytes:
    """Check every byte of an archive, and return the pickle in it.

    torch stores what it saves as it is. So an archive whose entries are packed, or are larger
    together than its file, was made by something else, and could unfold without end. torch does
    not look at the checksums.

    Args:
        path: the archive.
        whole: whether to look at more than its directory and the pickle.

    Raises:
        RefusedError: it holds other entries than those of ``torch.save``.
        Exception: of any kind, where its bytes are damaged.
    """
    with ZipFile(path) as archive:
        entries = archive.infolist()
        _check_entries(entries, path.stat().st_size)
        damaged = archive.testzip() if whole else None
        if damaged:
            raise ValueError(f'{damaged} is not what its checksum says')
        (pickled,) = (entry for entry in entries if entry.filename.endswith('/data.pkl'))
        return archive.read(pickled)


def _check_entries(entries: list[ZipInfo], file_size: int) -> None:
    names = [entry.filename for entry in entries]
    matches = [RECORD.fullmatch(name) for name in names]
    strange = [
        f'an entry {name!r}' for name, match in zip(names, matches, strict=True) if not match
    ]
    strange += [f'two entries {name!r}' for name in set(names) if names.count(name) > 1]
    strange += [
        f'a link {entry.filename!r}' for entry in entries if stat.S_ISLNK(entry.external_attr >> 16)
    ]
    strange += [
        f'a packed entry {entry.filename!r} of {entry.file_size:,} bytes'
        for entry in entries
        if entry.compress_type != ZIP_STORED or entry.compress_size != entry.file_size
    ]
    if strange:
        more = f' and {len(strange) - 3} more like this' if len(strange) > 3 else ''
        raise RefusedError(', '.join(strange[:3]) + more)
    if len({match['root'] for match in matches}) > 1:
        raise RefusedError('entries of several archives')
    unfolded = sum(entry.file_size for entry in entries)
    if unfolded > file_size:
        raise RefusedError(f'{unfolded:,} bytes in a file of {file_size:,}')
