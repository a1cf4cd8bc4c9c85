"""Broken images, met in training and in prediction."""

from io import BytesIO

import numpy as np
from case import case, cut, every, make_folder, remove, write
from PIL import Image
from sound import ERRORS, PREDICT, TRAIN

FILE, IMAGE = 'data/train.json', 'data/train/1.png'
SHOWN = 'photos/1.png'
BOTH = ('photos/1.png', 'photos/2.png')


def png(width, height, mode='RGB'):
    data = BytesIO()
    Image.fromarray(np.zeros((height, width), np.uint8)).convert(mode).save(data, 'png')
    return data.getvalue()


CASES = [
    case('an empty image', write(IMAGE), TRAIN, FILE, '1.png', '0 bytes'),
    case('an image cut off', cut(IMAGE), TRAIN, FILE, '1.png', 'bytes, cut off'),
    case('text named .png', write(IMAGE, 'no image'), TRAIN, FILE, '1.png', 'no image'),
    case('another size', write(IMAGE, png(9, 7)), TRAIN, FILE, '1.png', '9 x 7'),
    case('a folder named .png', make_folder(IMAGE), TRAIN, FILE, '1.png'),
    case('an image removed', remove(IMAGE), TRAIN, FILE, '1.png'),
    case('a broken image to validate', cut('data/valid/1.png'), TRAIN, 'valid.json', '1.png'),
    # prediction goes on without what it cannot read, unless there is nothing else
    case('only broken images', every(*map(cut, BOTH)), PREDICT, *BOTH),
    case('only empty images', every(*map(write, BOTH)), PREDICT, *BOTH),
    case('an empty folder', every(*map(remove, BOTH)), PREDICT, 'photos', '.png'),
    case('no such folder', remove('photos'), PREDICT, 'photos', 'nothing'),
    case(
        'a pattern that matches nothing', None, PREDICT.replace('photos', "'photos/*.gif'"), '*.gif'
    ),
    case('number_errors: no such image', remove('data/valid/1.png'), ERRORS, 'data/valid/1.png'),
    case('number_errors: an image cut off', cut('data/valid/1.png'), ERRORS, 'data/valid/1.png'),
]
