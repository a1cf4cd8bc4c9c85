import gzip
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from mmdet_digits.converters.image_sizes import ImageSizes, read_sizes
from mmdet_digits.converters.records import build_coco
from mmdet_digits.converters.svhn import FIELDS, DigitStruct
from mmdet_digits.errors import InputError

SHARED = Path(__file__).resolve().parents[3] / 'shared' / 'data'
needs_svhn = pytest.mark.skipif(
    not SHARED.is_dir(), reason='needs the boxes of SVHN, which are not distributed'
)

#: Rows [height, left, top, width, label]: 19; 05 at the first pixel; 0 alone.
CONTENT = {
    '1.png': [[219, 246, 77, 81, 1], [219, 323, 81, 96, 9]],
    '2.png': [[20, 1, 1, 8, 10], [20, 9, 0, 8, 5]],
    '3.png': [[15, 17.5, 5, 8, 10]],
}


def write_hdf5(path, content):
    """Write the official form: MATLAB's 512 bytes, then HDF5 with references."""
    with h5py.File(path, 'w', userblock_size=512) as file:
        values, root = file.create_group('#refs#'), file.create_group('digitStruct')
        names = root.create_dataset('name', (len(content), 1), dtype=h5py.ref_dtype)
        boxes = root.create_dataset('bbox', (len(content), 1), dtype=h5py.ref_dtype)

        def keep(array):
            return values.create_dataset(f'v{len(values)}', data=array).ref

        for index, (name, rows) in enumerate(content.items()):
            names[index, 0] = keep(np.array([[ord(letter)] for letter in name], np.uint16))
            group = values.create_group(f'v{len(values)}')
            boxes[index, 0] = group.ref
            for field, column in zip(FIELDS, np.array(rows, float).T, strict=True):
                if len(column) == 1:
                    group[field] = column.reshape(1, 1)
                    continue
                cells = group.create_dataset(field, (len(column), 1), dtype=h5py.ref_dtype)
                for row, value in enumerate(column):
                    cells[row, 0] = keep([[value]])
    header = b'MATLAB 7.3 MAT-file'.ljust(124) + b'\x00\x02IM'
    with path.open('r+b') as file:
        file.write(header)
    return path


def write_v5(path, content):
    """Write one array per image, of the smallest type that holds it, as MATLAB does."""
    arrays = {name: np.array(rows) for name, rows in content.items()}
    small = {}
    for name, array in arrays.items():
        fits = array.dtype.kind == 'i' and array.min() >= 0 and array.max() < 256
        small[name] = array.astype(np.uint8) if fits else array
    scipy.io.savemat(path, small)
    return path


def write_v5_struct(path, content):
    """Write MATLAB's own struct array, saved in the old format."""
    dtype = [(field, object) for field in FIELDS]
    struct = np.empty((1, len(content)), [('name', object), ('bbox', object)])
    for index, (name, rows) in enumerate(content.items()):
        box = np.empty((1, len(rows)), dtype)
        for row, values in enumerate(rows):
            box[0, row] = tuple(values)
        struct[0, index] = (name, box)
    scipy.io.savemat(path, {'digitStruct': struct})
    return path


WRITERS = pytest.mark.parametrize('write', [write_hdf5, write_v5, write_v5_struct])


@WRITERS
def test_boxes_to_the_pixel(tmp_path, write):
    records = DigitStruct(write(tmp_path / 'digitStruct.mat', CONTENT))
    assert len(records) == 3
    first, second, third = records[0], records[1], records[2]
    assert [first.file_name, second.file_name, third.file_name] == ['1.png', '2.png', '3.png']
    assert first.bboxes.tolist() == [[245, 76, 81, 219], [322, 80, 96, 219]]
    assert first.digits.tolist() == [1, 9]
    assert second.bboxes.tolist() == [[0, 0, 8, 20], [8, -1, 8, 20]]  # unsigned 0 minus 1 is -1
    assert third.bboxes.tolist() == [[16.5, 4, 8, 15]]


@WRITERS
def test_ten_is_zero_and_leads(tmp_path, write):
    records = DigitStruct(write(tmp_path / 'digitStruct.mat', CONTENT))
    assert records[1].digits.tolist() == [0, 5]
    coco = build_coco(records, lambda record: (900, 900)).coco
    labels = [box['category_id'] for box in coco['annotations'] if box['image_id'] == 2]
    assert labels == [1, 6]
    assert coco['categories'][0] == {'id': 1, 'name': '0'}


@WRITERS
def test_one_based_can_be_kept(tmp_path, write):
    records = DigitStruct(write(tmp_path / 'digitStruct.mat', CONTENT), offset=0)
    assert records[0].bboxes.tolist() == [[246, 77, 81, 219], [323, 81, 96, 219]]


@WRITERS
@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ([20, 1, 1, 8, 11], r'box 1 has the label 11, expected 1\.\.10'),
        ([20, 1, 1, 8, 0], r'has the label 0'),
        ([20, 1, 1, 8, np.nan], r'has the label nan'),
        ([0, 1, 1, 8, 3], r'box 1 is 8 x 0 px'),
        ([20, np.inf, 1, 8, 3], 'expected finite numbers'),
    ],
)
def test_bad_records_are_named(tmp_path, write, row, message):
    path = write(tmp_path / 'digitStruct.mat', CONTENT | {'2.png': [row]})
    records = DigitStruct(path)
    with pytest.raises(InputError, match=rf'digitStruct\.mat, record 2 \(2\.png\): .*{message}'):
        records[1]
    assert records[2].digits.tolist() == [0]
    conversion = build_coco(records, lambda record: (900, 900), skip_bad=True)
    assert [image['id'] for image in conversion.coco['images']] == [1, 3]


def test_a_damaged_hdf5_record(tmp_path):
    path = write_hdf5(tmp_path / 'digitStruct.mat', CONTENT)
    with h5py.File(path, 'r+') as file:
        group = file[file['digitStruct/bbox'][0, 0]]
        del group['label']
        other = file[file['digitStruct/bbox'][1, 0]]
        del other['width']
        other['width'] = np.array([[8.0]])
        file['digitStruct/bbox'][2, 0] = h5py.Reference()
    records = DigitStruct(path)
    with pytest.raises(InputError, match=r'record 1 \(1\.png\): not readable \(KeyError'):
        records[0]
    with pytest.raises(InputError, match=r"record 2 \(2\.png\): .*'left': 2.*'width': 1"):
        records[1]
    with pytest.raises(InputError, match=r'record 3 \(3\.png\): not readable'):
        records[2]


def test_a_v5_array_of_another_shape(tmp_path):
    path = tmp_path / 'x.mat'
    scipy.io.savemat(path, {'1.png': np.ones((2, 4))})
    with pytest.raises(InputError, match=r'\(1\.png\): an array of shape \(2, 4\), expected'):
        DigitStruct(path)[0]


def test_files_that_are_something_else(tmp_path):
    with pytest.raises(InputError, match='no such file'):
        DigitStruct(tmp_path / 'none.mat')
    (tmp_path / 'text.mat').write_text('hello')
    with pytest.raises(InputError, match=r'text\.mat: not readable as a MATLAB file'):
        DigitStruct(tmp_path / 'text.mat')
    scipy.io.savemat(tmp_path / 'other.mat', {'X': np.ones(3)})
    with pytest.raises(InputError, match=r'no digitStruct\.mat\.\n  found:    X'):
        DigitStruct(tmp_path / 'other.mat')
    with h5py.File(tmp_path / 'other.h5', 'w') as file:
        file['X'] = 1
    with pytest.raises(InputError, match=r'other\.h5: no digitStruct with name and bbox'):
        DigitStruct(tmp_path / 'other.h5')
    whole = write_v5(tmp_path / 'whole.mat', CONTENT).read_bytes()
    (tmp_path / 'half.mat').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r'half\.mat: not readable as a MATLAB file'):
        DigitStruct(tmp_path / 'half.mat')
    whole = write_hdf5(tmp_path / 'whole.h5', CONTENT).read_bytes()
    (tmp_path / 'half.h5').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r'half\.h5: no digitStruct'):
        DigitStruct(tmp_path / 'half.h5')


@pytest.fixture(scope='module')
def real_records():
    return DigitStruct(SHARED / 'svhn-digitstruct' / 'digitStruct.mat', offset=0)


@pytest.fixture(scope='module')
def real_boxes():
    with gzip.open(SHARED / 'svhn-boxes' / 'train.json.gz', 'rt') as file:
        return json.load(file)


@pytest.fixture(scope='module')
def real_sizes():
    return ImageSizes(table=read_sizes(SHARED / 'svhn-boxes' / 'train.json.gz'))


@needs_svhn
def test_real_file_equals_the_boxes_in_every_value(real_records, real_boxes, real_sizes):
    """Unshifted and uncut, as the boxes at hand are: SVHN's own 1-based values."""
    coco = build_coco(real_records, real_sizes, clip=False).coco
    assert (len(coco['images']), len(coco['annotations'])) == (33402, 73257)
    assert coco['images'] == real_boxes['images']
    assert coco['categories'] == real_boxes['categories']
    assert coco['annotations'] == real_boxes['annotations']  # 246.0 == 246


@needs_svhn
def test_real_file_shifted_and_cut(real_records, real_boxes, real_sizes):
    """By default each box is that box minus 1 in x and y, cut at the edge of its image."""
    conversion = build_coco(DigitStruct(real_records.path), real_sizes)
    sizes = {image['id']: (image['width'], image['height']) for image in real_boxes['images']}
    cut = 0
    for found, given in zip(conversion.coco['annotations'], real_boxes['annotations'], strict=True):
        x, y, w, h = given['bbox']
        width, height = sizes[given['image_id']]
        x0, y0, x1, y1 = max(x - 1, 0), max(y - 1, 0), min(x - 1 + w, width), min(y - 1 + h, height)
        assert found['bbox'] == [x0, y0, x1 - x0, y1 - y0]
        cut += found['bbox'] != [x - 1, y - 1, w, h]
    assert conversion.clipped == cut == 212


@needs_svhn
def test_real_values_in_the_official_form(real_records, tmp_path):
    names = [real_records[index].file_name for index in range(100)]
    rows = scipy.io.loadmat(real_records.path, variable_names=names)
    official = DigitStruct(
        write_hdf5(tmp_path / 'digitStruct.mat', {name: rows[name] for name in names}), offset=0
    )
    for index in range(100):
        assert official[index].file_name == real_records[index].file_name
        assert official[index].bboxes.tolist() == real_records[index].bboxes.tolist()
        assert official[index].digits.tolist() == real_records[index].digits.tolist()
