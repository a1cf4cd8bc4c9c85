"""Files that are made to confuse whoever unpacks them, or that are only broken."""

import io
import json
import stat
import struct
import zipfile

import torch
from hostile_pickles import PYTHON, Reduced
from pickles import archive, checkpoint, saved

SOUND = checkpoint()


def with_entry(name: str, content: bytes = b'x') -> bytes:
    return archive(SOUND, {name: content})


def with_link() -> bytes:
    link = zipfile.ZipInfo('archive/data/1')
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    return archive(SOUND, {link: b'/etc/passwd'})


def packed(size: int) -> bytes:
    """An archive whose storage is packed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.writestr('archive/data.pkl', SOUND)
        with file.open('archive/data/0', 'w') as entry:
            for _ in range(size // 65536):
                entry.write(bytes(65536))
    return buffer.getvalue()


def overlapping() -> bytes:
    """An archive that names the same bytes under many names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as file:
        file.writestr('archive/data.pkl', SOUND)
        file.writestr('archive/data/0', bytes(100_000))
        original = file.getinfo('archive/data/0')
        for number in range(1, 200):
            copy = zipfile.ZipInfo(f'archive/data/{number}')
            copy.header_offset, copy.CRC = original.header_offset, original.CRC
            copy.file_size = copy.compress_size = original.file_size
            file.filelist.append(copy)
    return buffer.getvalue()


def replaced(old: bytes, new: bytes, data: bytes) -> bytes:
    assert old in data
    return data.replace(old, new)


def lying_sizes() -> bytes:
    """An archive whose directory says that each entry is a gigabyte larger."""
    data = bytearray(archive(SOUND))
    at = data.find(b'PK\x01\x02')
    while at >= 0:
        for offset in (20, 24):
            (size,) = struct.unpack_from('<I', data, at + offset)
            struct.pack_into('<I', data, at + offset, size + (1 << 30))
        at = data.find(b'PK\x01\x02', at + 1)
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(archive(SOUND))
    data[data.find(b'PK\x01\x02') + 8] |= 1
    return bytes(data)


def archives() -> dict[str, bytes]:
    """The content of a ``.pth`` file by what is wrong with it."""
    sound = saved({'state_dict': {'weight': torch.arange(1000.0)}, 'meta': {}})
    middle = len(sound) // 2
    flipped = bytearray(sound)
    flipped[sound.find(torch.arange(1000.0).numpy().tobytes()) + 2000] ^= 1
    pickled = bytearray(sound)
    pickled[sound.find(b'state_dict')] ^= 1
    legacy = saved({'w': torch.arange(1000.0)}, _use_new_zipfile_serialization=False)
    inner = saved(Reduced(exec, PYTHON))
    return {
        'a path upwards': with_entry('../../evil'),
        'a path upwards within': with_entry('archive/../../evil'),
        'a root upwards': replaced(b'archive', b'../../.', archive(SOUND)),
        'an absolute path': with_entry('/tmp/evil'),
        'a path of Windows': with_entry('archive\\..\\evil'),
        'a drive of Windows': with_entry('C:/evil'),
        'a link': with_link(),
        'an entry of no use': with_entry('archive/code.py'),
        'a pickle of another name': with_entry('archive/constants.pkl', inner),
        'an archive within': with_entry('archive/data/inner.zip', inner),
        'a folder': with_entry('archive/data/1/', b''),
        'two pickles': with_entry('archive/data.pkl', inner),
        'two archives': with_entry('other/data.pkl', inner),
        'no pickle': replaced(b'archive/data.pkl', b'archive/data.txt', archive(SOUND)),
        'packed': packed(1 << 20),
        'packed a thousandfold': packed(1 << 30),
        'overlapping entries': overlapping(),
        'sizes that lie': lying_sizes(),
        'encrypted': encrypted(),
        'TorchScript': archive(SOUND, {'archive/constants.pkl': inner, 'archive/code/x.py': b''}),
        'one bit of a tensor': bytes(flipped),
        'one bit of the pickle': bytes(pickled),
        'cut off in the middle': sound[:middle],
        'cut off near the end': sound[:-10],
        'the second half': sound[middle:],
        'only zeros': bytes(1000),
        'legacy, cut off in the tensors': legacy[:-100],
        'legacy, cut off in the pickle': legacy[:200],
        'a text': b'weights',
        'a text that begins like a pickle': b'class names\nand more\n',
        'JSON': json.dumps({'state_dict': {}}).encode(),
        'an image': b'\x89PNG\r\n\x1a\n' + bytes(100),
        'a list': saved([1, 2]),
        'a text, pickled': saved('weights'),
        'meta that is a list': saved({'state_dict': {}, 'meta': [1]}),
    }


def safetensors(header: object, data: bytes = b'', length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('<Q', len(text) if length is None else length) + text + data


def tensor_entry(shape: list, start: int, end: int, dtype: str = 'F32') -> dict:
    return {'dtype': dtype, 'shape': shape, 'data_offsets': [start, end]}


def safetensors_files() -> dict[str, bytes]:
    """The content of a ``.safetensors`` file by what is wrong with it."""
    one = {'w': tensor_entry([2], 0, 8)}
    sound = safetensors(one, bytes(8))
    return {
        'a header of 2^63 bytes': safetensors(one, bytes(8), length=1 << 63),
        'a header of a gigabyte': safetensors(one, bytes(8), length=1 << 30),
        'a header longer than the file': safetensors(one, bytes(8), length=1000),
        'a header that ends early': safetensors(one, bytes(8), length=20),
        'no header': struct.pack('<Q', 0),
        'three bytes': b'\0\0\0',
        'a header that is no JSON': safetensors(b'{"w": ', bytes(8)),
        'a header of lists': safetensors(b'[' * 100_000, bytes(8)),
        'a header that is a list': safetensors([1]),
        'data cut off': sound[:-1],
        'data left over': sound + b'\0',
        'offsets beyond the data': safetensors({'w': tensor_entry([200], 0, 800)}, bytes(8)),
        'offsets backwards': safetensors({'w': tensor_entry([2], 8, 0)}, bytes(8)),
        'negative offsets': safetensors({'w': tensor_entry([2], -8, 0)}, bytes(8)),
        'tensors that overlap': safetensors(
            {'v': tensor_entry([2], 0, 8), 'w': tensor_entry([2], 0, 8)}, bytes(8)
        ),
        'a gap': safetensors({'w': tensor_entry([1], 4, 8)}, bytes(8)),
        'a shape too large': safetensors({'w': tensor_entry([1 << 40], 0, 8)}, bytes(8)),
        'a shape that overflows': safetensors(
            {'w': tensor_entry([1 << 62, 1 << 62], 0, 8)}, bytes(8)
        ),
        'a negative shape': safetensors({'w': tensor_entry([-2], 0, 8)}, bytes(8)),
        'a dtype of objects': safetensors({'w': tensor_entry([2], 0, 8, 'O')}, bytes(8)),
        'metadata that is no text': safetensors(
            {'__metadata__': {'classes': [1]}, **one}, bytes(8)
        ),
        'classes that are no JSON': safetensors(
            {'__metadata__': {'classes': PYTHON}, **one}, bytes(8)
        ),
        'classes that are a number': safetensors(
            {'__metadata__': {'classes': '3'}, **one}, bytes(8)
        ),
        'a pickle': saved(Reduced(exec, PYTHON)),
        'a text': b'weights and more of them',
    }
