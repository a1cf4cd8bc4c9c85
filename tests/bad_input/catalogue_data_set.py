"""Broken data sets: what stands in a COCO file, and what stands beside it."""

from case import case, cut, edit, every, make_folder, remove, replace_text, write
from sound import ASSEMBLE, ERRORS, EVALUATE, LINK, TEST, TRAIN

COCO = 'data/train.json'
VALID = 'data/valid.json'


def change(file, /, *where, **values):
    """Change the entry of a COCO file that ``where`` leads to, e.g. ``'images', 0``."""

    def apply(coco):
        entry = coco
        for key in where:
            entry = entry[key]
        entry.update(values)

    return edit(file, apply)


def drop(file, *where):
    """Remove a key, or an item of a list, from a COCO file."""

    def apply(coco):
        *path, last = where
        for key in path:
            coco = coco[key]
        del coco[last]

    return edit(file, apply)


def image(file, /, **values):
    return change(file, 'images', 0, **values)


def box(file, /, **values):
    return change(file, 'annotations', 0, **values)


def category(file, /, **values):
    return change(file, 'categories', 9, **values)


def rename_boxed(file):
    """Give the category of the first box another name."""

    def apply(coco):
        number = coco['annotations'][0]['category_id']
        next(c for c in coco['categories'] if c['id'] == number)['name'] = 'digit'

    return edit(file, apply)


def twice(name, key):
    return edit(name, lambda coco: coco[key].append(coco[key][0]))


def empty(name, key):
    return edit(name, lambda coco: coco[key].clear())


CASES = [
    # the file as such
    case('no train.json', remove(COCO), TRAIN, COCO, 'prepare_data.py'),
    case('no valid.json', remove(VALID), TRAIN, VALID),
    case('no test images', remove('data/test'), TEST, 'data/test'),
    case('no folder of images', remove('data/train'), TRAIN, 'data/train'),
    case('a folder instead of train.json', make_folder(COCO), TRAIN, COCO, 'folder'),
    case('an empty train.json', write(COCO), TRAIN, COCO, 'line 1, column 1'),
    case('a train.json cut off', cut(COCO), TRAIN, COCO, 'line 1, column'),
    case('a comma too many', replace_text(COCO, '}]', '},]'), TRAIN, COCO, 'line 1, column'),
    case('a train.json in UTF-16', write(COCO, '{}'.encode('utf-16')), TRAIN, COCO),
    case('a list instead of an object', write(COCO, '[]'), TRAIN, COCO, 'images'),
    case('no annotations', drop(COCO, 'annotations'), TRAIN, COCO, 'annotations'),
    case('images is no list', edit(COCO, lambda c: c.update(images={})), TRAIN, COCO, 'images'),
    # images
    case('not one image', empty(COCO, 'images'), TRAIN, COCO),
    case('an image without id', drop(COCO, 'images', 0, 'id'), TRAIN, COCO, 'id'),
    case(
        'an image without file name', drop(COCO, 'images', 0, 'file_name'), TRAIN, COCO, 'file_name'
    ),
    case('an image without width', drop(COCO, 'images', 0, 'width'), TRAIN, COCO, 'width'),
    case('an image id twice', twice(COCO, 'images'), TRAIN, COCO, '1'),
    case('an image of width 0', image(COCO, width=0), TRAIN, COCO, 'width'),
    case('a width in words', image(COCO, width='wide'), TRAIN, COCO, "'wide'"),
    case('an image that is not there', image(COCO, file_name='9.png'), TRAIN, '9.png'),
    case('a file name of None', image(COCO, file_name=None), TRAIN, COCO, 'file_name'),
    # boxes
    case('not one box', empty(COCO, 'annotations'), TRAIN, COCO, 'left out: 4', leaves='runs'),
    case('a box of no image', box(COCO, image_id=99), TRAIN, COCO, '99'),
    case('a box of no category', box(COCO, category_id=99), TRAIN, COCO, '99'),
    case('a box without bbox', drop(COCO, 'annotations', 0, 'bbox'), TRAIN, COCO, 'bbox'),
    case('a box of three numbers', box(COCO, bbox=[1, 2, 3]), TRAIN, COCO, '[1, 2, 3]'),
    case('a box of words', box(COCO, bbox=['a', 'b', 'c', 'd']), TRAIN, COCO, 'bbox'),
    case('a box of NaN', box(COCO, bbox=[1, 2, float('nan'), 4]), TRAIN, COCO, 'nan'),
    case('a box of negative width', box(COCO, bbox=[9, 2, -3, 4]), TRAIN, COCO, '-3'),
    case('a box under 1 px', box(COCO, bbox=[9, 9, 0.5, 9]), TRAIN, COCO, '0.5'),
    case('a box outside its image', box(COCO, bbox=[900, 2, 3, 4]), TRAIN, COCO, '900'),
    case('an annotation id twice', twice(COCO, 'annotations'), TRAIN, COCO, 'id'),
    # categories
    case('a category named digit', rename_boxed(COCO), TRAIN, COCO, 'digit', 'rename'),
    case('a category named twice', category(COCO, name='8'), TRAIN, COCO, "9='8'", "10='8'"),
    case('nine categories', drop(COCO, 'categories', 9), TRAIN, COCO, '1, 2, 3, 4, 5, 6, 7, 8, 9'),
    case('a category id twice', category(COCO, id=1), TRAIN, COCO, 'id'),
    case('a category without id', drop(COCO, 'categories', 9, 'id'), TRAIN, COCO, 'id'),
    case('another category in valid.json', rename_boxed(VALID), TRAIN, VALID, 'digit', 'rename'),
    # the same files, read by the tools that need no model
    case('evaluate: no such file', remove(VALID), EVALUATE, VALID, 'nothing'),
    case('evaluate: cut off', cut(VALID), EVALUATE, VALID, 'line 1, column'),
    case('evaluate: a list', write(VALID, '[]'), EVALUATE, VALID, 'a list'),
    case('evaluate: not one box', empty(VALID, 'annotations'), EVALUATE, VALID, 'empty'),
    case('evaluate: an image id twice', twice(VALID, 'images'), EVALUATE, VALID, 'second time'),
    case(
        'evaluate: an image of None',
        edit(VALID, lambda c: c['images'].append(None)),
        EVALUATE,
        VALID,
        'None',
    ),
    case('evaluate: a width in words', image(VALID, width='wide'), EVALUATE, VALID, 'wide'),
    case('evaluate: an area in words', box(VALID, area='large'), EVALUATE, VALID, 'large'),
    case('evaluate: a box of no image', box(VALID, image_id=99), EVALUATE, VALID, '99'),
    case('evaluate: a box of a list', box(VALID, image_id=[1]), EVALUATE, VALID, '[1]'),
    case('evaluate: a box of words', box(VALID, bbox=list('abcd')), EVALUATE, VALID, 'bbox'),
    case(
        'evaluate: a box of NaN', box(VALID, bbox=[1, 2, float('nan'), 4]), EVALUATE, VALID, 'nan'
    ),
    case(
        'evaluate: an annotation of text',
        edit(VALID, lambda c: c['annotations'].append('x')),
        EVALUATE,
        VALID,
        'x',
    ),
    case('evaluate: a category id twice', category(VALID, id=1), EVALUATE, VALID, 'id 1'),
    case(
        'evaluate: a category of None',
        edit(VALID, lambda c: c['categories'].append(None)),
        EVALUATE,
        VALID,
        'None',
    ),
    case('assemble: no images', drop(VALID, 'images'), ASSEMBLE, VALID, 'lacks images'),
    case('assemble: an image id of text', image(VALID, id='a'), ASSEMBLE, VALID, 'whole number'),
    case(
        'number_errors: a file name that leads out',
        image(VALID, file_name='../train/1.png'),
        ERRORS,
        VALID,
        '../train/1.png',
        'does not stay in the folder',
    ),
    # linking
    case('link: no train.json', remove(COCO), LINK, 'train.json', 'data'),
    case('link: a train.json cut off', cut(COCO), LINK, COCO, 'line 1, column'),
    case('link: an image id twice', twice(COCO, 'images'), LINK, COCO, '1'),
    case('link: a box of no image', box(COCO, image_id=99), LINK, COCO, '99'),
    case(
        'link: an image that is not there',
        every(remove(VALID), remove('data/valid'), remove('data/train/1.png')),
        f'{LINK} --valid 1',
        COCO,
        '1.png',
    ),
    case(
        'link: a file name that leads out',
        every(remove(VALID), remove('data/valid'), image(COCO, file_name='../train/1.png')),
        f'{LINK} --valid 1',
        COCO,
        '../train/1.png',
    ),
    case('link: valid is there already', None, f'{LINK} --valid 1', 'valid', '--valid'),
    case('link: no such folder', remove('data'), LINK, 'data'),
]
