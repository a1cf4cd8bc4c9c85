"""Saved predictions and number assemblies that are not what they should be."""

import pickle

from case import case, cut, edit, make_folder, remove, write
from catalogue_checkpoint import Hostile
from sound import ASSEMBLE, ERRORS, EVALUATE, SUBMIT, TUNE

PRED = 'pred.json'
PICKLED = EVALUATE.replace(PRED, 'pred.pkl')
BY_FILE = f'{EVALUATE} --assembly assembly.json'


def record(**values):
    return edit(PRED, lambda records: records[0].update(values))


def more(*values):
    return edit(PRED, lambda records: records.extend(values))


CASES = [
    case('no file', remove(PRED), EVALUATE, PRED, 'nothing'),
    case('a folder', make_folder(PRED), EVALUATE, PRED, 'a folder'),
    case('an empty file', write(PRED), EVALUATE, PRED, 'line 1, column 1'),
    case('cut off', cut(PRED), EVALUATE, PRED, 'line 1, column'),
    case('not UTF-8', write(PRED, b'["\xff"]'), EVALUATE, PRED, 'utf-8'),
    case('half a gzip file', write(PRED, b'\x1f\x8b\x08half'), EVALUATE, PRED),
    case('deep nesting', write(PRED, '[' * 100_000), EVALUATE, PRED),
    case('a long number', write(PRED, f'[{"9" * 5000}]'), EVALUATE, PRED),
    case(
        'annotations',
        None,
        EVALUATE.replace(PRED, 'data/valid.json'),
        'valid.json',
        'not the annotations',
    ),
    case('an empty list', write(PRED, '[]'), EVALUATE, PRED, 'an empty list'),
    case('a number as record', more(7), EVALUATE, PRED, 'a int'),
    case('no score', edit(PRED, lambda r: r[0].pop('score')), EVALUATE, PRED, 'no score'),
    case(
        'a score twice',
        write(
            PRED,
            '[{"image_id": 1, "bbox": [1, 1, 2, 2], "score": 0.1, "score": 0.9, "category_id": 1}]',
        ),
        EVALUATE,
        PRED,
        'score',
    ),
    case('an image id of text', record(image_id='1'), EVALUATE, PRED, "'1'"),
    case('an image id of 30 digits', record(image_id=10**30), EVALUATE, PRED, str(10**30)),
    case(
        'an image that is not there', record(image_id=99), EVALUATE, PRED, '99', 'data/valid.json'
    ),
    case('a box of three', record(bbox=[1, 2, 3]), EVALUATE, PRED, '[1, 2, 3]'),
    case('a box of NaN', record(bbox=[1, 2, float('nan'), 4]), EVALUATE, PRED, 'nan'),
    case('a box beyond all numbers', record(bbox=[1e308, 2, 1e308, 4]), EVALUATE, PRED, '1e+308'),
    case('a negative width', record(bbox=[9, 2, -3, 4]), EVALUATE, PRED, '-3'),
    case('a score of 1.5', record(score=1.5), EVALUATE, PRED, '1.5'),
    case('a score of True', record(score=True), EVALUATE, PRED, 'True'),
    case('a score of NaN', record(score=float('nan')), EVALUATE, PRED, 'nan'),
    case('category 0', record(category_id=0), EVALUATE, PRED, 'category_id 0', '1 to 10'),
    case('category 1.0', record(category_id=1.0), EVALUATE, PRED, 'category_id 1.0'),
    case('assemble: an image that is not there', record(image_id=99), ASSEMBLE, PRED, '99'),
    case('submit: an image that is not there', record(image_id=99), SUBMIT, PRED, '99'),
    case('tune: an image that is not there', record(image_id=99), TUNE, PRED, '99'),
    case('number_errors: an image that is not there', record(image_id=99), ERRORS, PRED, '99'),
    # mmdet's pickle
    case(
        'a pickle of code', write('pred.pkl', pickle.dumps(Hostile())), PICKLED, 'pred.pkl', 'exec'
    ),
    case('a pickle cut off', cut('pred.pkl'), PICKLED, 'pred.pkl'),
    case('an empty pickle', write('pred.pkl'), PICKLED, 'pred.pkl'),
    case('a pickle of numbers', write('pred.pkl', pickle.dumps([1, 2])), PICKLED, 'pred.pkl'),
    case('JSON named .pkl', write('pred.pkl', '[]'), PICKLED, 'pred.pkl'),
    # assemblies
    case('a misspelt preset', None, f'{EVALUATE} --assembly sytem_b', 'sytem_b', 'system_b'),
    case('an assembly cut off', cut('assembly.json'), BY_FILE, 'assembly.json', 'line 1'),
    case('an assembly of a list', write('assembly.json', '[]'), BY_FILE, 'assembly.json'),
    case(
        'a misspelt field',
        write('assembly.json', '{"score_the": 1}'),
        BY_FILE,
        'assembly.json',
        'score_thr',
    ),
    case(
        'a threshold of 2',
        write('assembly.json', '{"score_thr": 2}'),
        BY_FILE,
        'assembly.json',
        '2',
    ),
    case(
        'a threshold of NaN',
        write('assembly.json', '{"score_thr": NaN}'),
        BY_FILE,
        'assembly.json',
        'nan',
    ),
    case(
        'a threshold in words',
        write('assembly.json', '{"iou_thr": "half"}'),
        BY_FILE,
        'assembly.json',
        'half',
    ),
]
