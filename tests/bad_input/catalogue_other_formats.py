"""Annotations of other formats that the converters refuse."""

import json

import numpy as np
import scipy.io
from case import case, cut, every, make_folder, remove, replace_text, write
from sound import MCHAR, SVHN, VOC, YOLO

MAT, XML, TEXT, JSON = 'svhn/digitStruct.mat', 'voc/1.xml', 'yolo/1.txt', 'mchar.json'
YOLO_SET = 'dataset_converters/yolo2coco.py data -o converted'
SIZES = f'{SVHN} --sizes sizes.json'


def mat(*rows):
    """Write a digitStruct.mat whose first image has these rows: height left top width label."""
    return lambda folder: scipy.io.savemat(folder / MAT, {'1.png': np.array(rows)})


def mchar(**values):
    numbers = {key: [2] for key in ('height', 'left', 'top', 'width', 'label')}
    return write(JSON, json.dumps({'1.png': {**numbers, **values}}))


CASES = [
    case('svhn: no file', remove(MAT), SVHN, MAT),
    case('svhn: text', write(MAT, 'no matrix'), SVHN, MAT),
    case('svhn: cut off', cut(MAT), SVHN, MAT),
    case('svhn: label 11', mat([8, 2, 2, 6, 11]), SVHN, 'digitStruct.mat', '1.png', '11'),
    case('svhn: four columns', mat([8, 2, 2, 6]), SVHN, '1.png', '(1, 4)'),
    case('svhn: no height', mat([0, 2, 2, 6, 1]), SVHN, '1.png', '6 x 0'),
    case('svhn: outside', mat([8, 900, 2, 6, 1]), SVHN, '1.png', '899'),
    case('svhn: NaN', mat([8, np.nan, 2, 6, 1]), SVHN, '1.png', 'nan'),
    case('svhn: no such image', remove('data/valid/1.png'), SVHN, 'data/valid/1.png'),
    case('svhn: no such folder', remove('data/valid'), SVHN, 'data/valid'),
    case('svhn: an image cut to nothing', write('data/valid/1.png'), SVHN, 'data/valid/1.png'),
    case('sizes: no file', None, SIZES, 'sizes.json'),
    case('sizes: a list', write('sizes.json', '[]'), SIZES, 'sizes.json'),
    case('sizes: one number', write('sizes.json', '{"1.png": 3}'), SIZES, 'sizes.json'),
    case('sizes: 0 px', write('sizes.json', '{"1.png": [0, 3]}'), SIZES, 'sizes.json', '0 x 3'),
    case('voc: no folder', remove('voc'), VOC, 'voc'),
    case('voc: an empty folder', make_folder('voc'), VOC, 'voc', 'XML'),
    case('voc: cut off', cut(XML), VOC, XML),
    case('voc: no file name', replace_text(XML, '1.png', ''), VOC, XML, 'filename'),
    case(
        'voc: a letter', replace_text(XML, '<name>7', '<name>x'), VOC, "'x'", '--ignore-classes x'
    ),
    case('voc: words', replace_text(XML, '<xmin>2', '<xmin>two'), VOC, XML, 'xmin', 'two'),
    case('voc: turned inside out', replace_text(XML, '<xmax>8', '<xmax>0'), VOC, XML),
    case('yolo: no folder', remove('yolo'), YOLO, 'yolo'),
    case('yolo: six values', write(TEXT, '7 .5 .5 .2 .2 .9'), YOLO, TEXT, 'line 1', '6 values'),
    case('yolo: words', write(TEXT, 'seven .5 .5 .2 .2'), YOLO, TEXT, 'seven'),
    case('yolo: class 10', write(TEXT, '10 .5 .5 .2 .2'), YOLO, TEXT, '10'),
    case('yolo: pixels', write(TEXT, '1 50 50 20 20'), YOLO, TEXT, '50', 'fractions'),
    case('yolo: no image', write('yolo/9.txt', ''), YOLO, '9.txt', 'data/valid'),
    case('yolo: no text file', every(remove(TEXT), remove('yolo/2.txt')), YOLO, 'yolo', 'no label'),
    case('yolo: .TXT as well', write('yolo/1.TXT'), YOLO, '1.TXT, 1.txt'),
    case(
        'yolo: two class orders',
        every(write('yolo/classes.txt', '0\n7\n'), write('data.yaml', 'names: [7, 0]')),
        YOLO,
        'yolo/classes.txt',
        'data.yaml',
        '--names',
    ),
    case(
        'yolo: a border',
        write('yolo/classes.txt', '0\n1\n2\n3\n4\n5\n6\nborder'),
        f'{YOLO} --skip-bad',
        "'border' (2)",
        '--ignore-classes border',
    ),
    case('yolo: to ignore a digit', None, f'{YOLO} --ignore-classes 7', '7: a digit'),
    case('yolo: no data set', remove('yolo'), YOLO_SET, 'data', 'train/images'),
    case('yolo: names of letters', write('names.txt', 'a\nb'), f'{YOLO} --names names.txt', 'a, b'),
    case('yolo: no names', None, f'{YOLO} --names names.txt', 'names.txt'),
    case('yolo: names in no YAML', write('n.yaml', 'names: ['), f'{YOLO} --names n.yaml', 'n.yaml'),
    case('mchar: cut off', cut(JSON), MCHAR, JSON),
    case('mchar: a list', write(JSON, '[]'), MCHAR, JSON),
    case('mchar: label 10', mchar(label=[10]), MCHAR, '1.png', '10'),
    case('mchar: one value less', mchar(top=[]), MCHAR, '1.png', 'top'),
    case('output exists', write('converted.json'), SVHN, 'converted.json', '--overwrite'),
    case(
        'output is a folder', make_folder('converted.json'), f'{SVHN} --overwrite', 'converted.json'
    ),
    case('a fraction of 1.5', None, f'{SVHN} --split 1.5', '1.5'),
    case('half an image', None, f'{SVHN} --split 0.1', '0.1'),
    case('a split in words', None, f'{SVHN} --split half', 'half'),
    case(
        'a split into one file',
        None,
        f'{SVHN} --split 1 --valid-out converted.json',
        'converted.json',
    ),
    case('--valid-out alone', None, f'{SVHN} --valid-out valid.json', '--split'),
    case('a negative seed', None, f'{SVHN} --split 1 --seed -1', '-1'),
]
