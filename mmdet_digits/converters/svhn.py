"""SVHN's digitStruct.mat, format 1 (full numbers), in both forms that go round.

The official file (http://ufldl.stanford.edu/housenumbers) is MATLAB v7.3, which is HDF5 with a
reference for every value; others are MATLAB v5 with one array per image. In both, pixels count from
1 as MATLAB does, and the label of zero is 10.
"""

from pathlib import Path

import h5py
import numpy as np
import scipy.io

from mmdet_digits.converters.records import DigitRecord, DigitRecords, make_record, shown
from mmdet_digits.errors import InputError

#: The fields of a box, in the order of the columns of a v5 array.
FIELDS = ('height', 'left', 'top', 'width', 'label')
FORMAT = "SVHN's digitStruct.mat: digitStruct, or an array per image such as '1.png'"
FIX = 'fetch the file again, or give another'


class DigitStruct(DigitRecords):
    """The records of a digitStruct.mat, in its order.

    Args:
        path: the file, v7.3 or v5.
        offset: subtracted from left and top. 1 turns MATLAB's coordinates, in which the first pixel
            is 1, into COCO's, in which it is 0; 0 keeps them.

    Raises:
        InputError: the file cannot be read or is no digitStruct.mat.
    """

    def __init__(self, path: Path, offset: float = 1) -> None:
        self.path, self.offset = Path(path), offset
        if not self.path.is_file():
            raise InputError(
                f'{path}: no such file.',
                'a folder' if self.path.is_dir() else 'nothing',
                'a digitStruct.mat',
                'correct the path',
            )
        self._reader = (HDF5Reader if h5py.is_hdf5(self.path) else V5Reader)(self.path)

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, index: int) -> DigitRecord:
        """Read one record.

        Raises:
            InputError: it is wrong; the message names it.
        """
        where = f'{self.path.name}, record {index + 1}'
        try:
            name = self._reader.name(index)
            where += f' ({shown(name)})'
            rows = np.array(self._reader.rows(index), float)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError, OSError) as error:
            message = f'{where}: not readable ({type(error).__name__}: {error}).'
            raise InputError(message) from error
        if rows.ndim != 2 or rows.shape[1] != len(FIELDS):
            raise InputError(
                f'{where}: an array of shape {rows.shape}, expected (N, 5): {", ".join(FIELDS)}.'
            )
        height, left, top, width, label = rows.T
        boxes = np.stack([left - self.offset, top - self.offset, width, height], axis=1)
        for number, value in enumerate(label, 1):
            if value not in range(1, 11):
                raise InputError(f'{where}: box {number} has the label {value:g}, expected 1..10.')
        return make_record(name, boxes, label % 10, where)


class HDF5Reader:
    """Reads the official file.

    ``digitStruct/name`` and ``digitStruct/bbox`` hold one reference per image: to the characters of
    the file name, and to a group with one array per field. An array of one box holds the value; one
    of several boxes holds a reference to each.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = h5py.File(path, 'r')
            root = self._file['digitStruct']
            self._names, self._boxes = (root[key][()].ravel() for key in ('name', 'bbox'))
        except (OSError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f'{path}: no digitStruct with name and bbox in it.', str(error), FORMAT, FIX
            ) from error
        if len(self._names) != len(self._boxes):
            counts = f'{len(self._names)} names but {len(self._boxes)} bbox'
            raise InputError(f'{path}: names and boxes do not match.', counts, FORMAT, FIX)

    def __len__(self) -> int:
        return len(self._names)

    def name(self, index: int) -> str:
        """File name of an image."""
        return ''.join(map(chr, self._file[self._names[index]][()].ravel()))

    def rows(self, index: int) -> np.ndarray:
        """(N, 5) array of the fields of an image's boxes."""
        group = self._file[self._boxes[index]]
        columns = [self._column(group[name][()].ravel()) for name in FIELDS]
        if len(set(map(len, columns))) != 1:
            raise ValueError(f'{dict(zip(FIELDS, map(len, columns), strict=True))} values')
        return np.stack(columns, axis=1)

    def _column(self, values: np.ndarray) -> np.ndarray:
        if h5py.check_ref_dtype(values.dtype) is None:
            return values.astype(float)
        return np.array([self._file[reference][()].item() for reference in values])


class V5Reader:
    """Reads a v5 file: an array (N, 5) per image under its file name, or MATLAB's own struct."""

    def __init__(self, path: Path) -> None:
        try:
            content = scipy.io.loadmat(path)
        except Exception as error:  # scipy lets many kinds through from damaged files
            found = f'{type(error).__name__}: {error}'
            raise InputError(
                f'{path}: not readable as a MATLAB file.', found, FORMAT, FIX
            ) from error
        self._content = {k: v for k, v in content.items() if not k.startswith('__')}
        self._struct = self._content.get('digitStruct')
        if self._struct is not None:
            self._struct = self._struct.ravel()
        elif not self._content or not all('.' in key for key in self._content):
            found = ', '.join(list(self._content)[:5]) or 'nothing in it'
            raise InputError(f'{path}: no digitStruct.mat.', found, FORMAT, FIX)
        self._names = [] if self._struct is not None else list(self._content)

    def __len__(self) -> int:
        return len(self._names) if self._struct is None else len(self._struct)

    def name(self, index: int) -> str:
        """File name of an image."""
        if self._struct is None:
            return self._names[index]
        return str(self._struct[index]['name'].item())

    def rows(self, index: int) -> np.ndarray:
        """(N, 5) array of the fields of an image's boxes."""
        if self._struct is None:
            return self._content[self._names[index]]
        boxes = self._struct[index]['bbox'].ravel()
        return [[box[name].item() for name in FIELDS] for box in boxes]
