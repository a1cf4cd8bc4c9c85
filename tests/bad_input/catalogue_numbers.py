"""Tables of numbers that are not what they should be, and what is asked of pseudo_label.py."""

from case import add_text, case, cut, every, make_folder, remove, write
from sound import PSEUDO

TABLE = 'numbers.csv'
UNLABELLED = PSEUDO.replace(f'--numbers {TABLE}', '')


def table(text):
    return write(TABLE, f'file_name,number\n{text}')


CASES = [
    case('no table', remove(TABLE), PSEUDO, TABLE, 'nothing'),
    case('a folder', make_folder(TABLE), PSEUDO, TABLE, 'a folder'),
    case('an empty table', write(TABLE), PSEUDO, TABLE, 'an empty file'),
    case('other columns', write(TABLE, 'id,label\n1,2\n'), PSEUDO, TABLE, 'id,label', 'file_name'),
    case('semicolons', write(TABLE, 'file_name;number\n1.png;2\n'), PSEUDO, TABLE, ';number'),
    case('a row too short', table('1.png\n'), PSEUDO, TABLE, 'line 2'),
    case('a NUL', table('1.png,\0\n'), PSEUDO, TABLE, 'line 2'),
    case('a number with a point', table('1.png,12.0\n'), PSEUDO, TABLE, 'line 2: 12.0', 'text'),
    case('a number in words', add_text(TABLE, '9.png,nine\n'), PSEUDO, TABLE, 'line 4: nine'),
    case('an image twice', add_text(TABLE, '1.png,5\n'), PSEUDO, TABLE, 'line 4: 1.png again'),
    case('other images', table('a.png,5\n'), PSEUDO, TABLE, 'a.png', '1.png, 2.png'),
    case('numbers of other images', table('1.png,31415926\n'), PSEUDO, '1 rejected: cannot spell'),
    case(
        'one name in two folders',
        None,
        PSEUDO.replace('photos', 'photos data/test'),
        'data/test/1.png',
        'photos/1.png',
    ),
    case('neither numbers nor a confidence', None, UNLABELLED, '--numbers', '--min-confidence'),
    case('both', None, f'{PSEUDO} --min-confidence 0.9', '--numbers', '--min-confidence'),
    case('a confidence of 2', None, f'{UNLABELLED} --min-confidence 2', '--min-confidence', '2'),
    case('a score of NaN', None, f'{PSEUDO} --min-score nan', '--min-score', 'nan'),
    case('a sheet of no images', None, f'{PSEUDO} --sheet-images 0', '--sheet-images', '0'),
    case('an output that is there', write('sheet.png', 'mine'), PSEUDO, 'sheet.png', '--overwrite'),
    case(
        'an output that is the table',
        None,
        f'{PSEUDO} -o {TABLE} --overwrite',
        TABLE,
        'an input would be replaced',
    ),
    case(
        'a sheet that is an image',
        None,
        f'{PSEUDO} --sheet photos/1.png --overwrite',
        'photos/1.png',
        'where an output goes',
    ),
    case(
        'only broken images',
        every(cut('photos/1.png'), cut('photos/2.png')),
        PSEUDO,
        'photos/1.png',
        'photos/2.png',
    ),
]
