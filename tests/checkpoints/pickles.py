"""Pickles put together opcode by opcode, and the files that torch would look for them in."""

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping

import torch
from torch.serialization import MAGIC_NUMBER, PROTOCOL_VERSION

PROTO = b'\x80\x02'


def name(module: str, member: str) -> bytes:
    """GLOBAL."""
    return f'c{module}\n{member}\n'.encode()


def text(value: str) -> bytes:
    data = value.encode()
    return b'X' + struct.pack('<I', len(data)) + data


def number(value: int) -> bytes:
    return b'I%d\n' % value if abs(value) >= 2**31 else b'J' + struct.pack('<i', value)


def sequence(*items: bytes) -> bytes:
    return b'(' + b''.join(items) + b't'


def listed(*items: bytes) -> bytes:
    return b'](' + b''.join(items) + b'e'


def mapping(items: Mapping[str, bytes]) -> bytes:
    return b'}(' + b''.join(text(key) + value for key, value in items.items()) + b'u'


def call(function: bytes, *arguments: bytes) -> bytes:
    """REDUCE."""
    return function + sequence(*arguments) + b'R'


def new(kind: bytes, *arguments: bytes) -> bytes:
    """NEWOBJ."""
    return kind + sequence(*arguments) + b'\x81'


def built(target: bytes, state: bytes) -> bytes:
    """BUILD."""
    return target + state + b'b'


def stored(value: bytes, slot: int) -> bytes:
    """The value, which :func:`fetched` gives again."""
    return value + b'r' + struct.pack('<I', slot)


def fetched(slot: int) -> bytes:
    return b'j' + struct.pack('<I', slot)


def plain(value: object) -> bytes:
    """What pickle itself writes, to be put among other opcodes."""
    return pickle.dumps(value, protocol=2)[2:-1]


def storage(items: int, key: str = '0', kind: bytes = name('torch', 'FloatStorage')) -> bytes:
    """BINPERSID of a storage."""
    return sequence(text('storage'), kind, text(key), text('cpu'), number(items)) + b'Q'


def tensor(items: int, key: str = '0') -> bytes:
    """A one-dimensional float32 tensor of storage ``data/KEY``."""
    return call(
        name('torch._utils', '_rebuild_tensor_v2'),
        storage(items, key),
        number(0),
        sequence(number(items)),
        sequence(number(1)),
        b'\x89',
        call(name('collections', 'OrderedDict')),
    )


def checkpoint(**parts: bytes) -> bytes:
    """A whole pickle with the parts of a checkpoint."""
    sound = {'meta': b'}', 'state_dict': mapping({'weight': tensor(4)})}
    return PROTO + mapping({**sound, **parts}) + b'.'


def archive(pickled: bytes, entries: Mapping[str, bytes] | None = None) -> bytes:
    """The zip archive that ``torch.save`` would write around a pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as file:
        file.writestr('archive/data.pkl', pickled)
        file.writestr('archive/version', b'3\n')
        file.writestr('archive/byteorder', b'little')
        file.writestr('archive/data/0', bytes(16))
        for entry, content in (entries or {}).items():
            file.writestr(entry, content)
    return buffer.getvalue()


def legacy(pickled: bytes, keys: tuple[str, ...] = ()) -> bytes:
    """The file that torch before 1.6 would write around a pickle."""
    head = (MAGIC_NUMBER, PROTOCOL_VERSION, {'little_endian': True})
    pickled = pickled.replace(b'tQ', b'NtQ')  # a storage has no view of another one
    return b''.join(pickle.dumps(part, 2) for part in head) + pickled + pickle.dumps([*keys], 2)


def saved(content: object, **options) -> bytes:
    """What ``torch.save`` writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()
