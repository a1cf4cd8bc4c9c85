from mmdet_digits.checks.finding import Check, Status, attempt, first_ten
from mmdet_digits.errors import InputError

SOUND = Check('Images', Status.OK, '48')


def raising(error):
    def check():
        raise error

    return check


def test_what_a_check_returns_becomes_a_list():
    assert attempt('Images', lambda: SOUND) == [SOUND]
    assert attempt('Images', lambda number: [SOUND] * number, 2) == [SOUND, SOUND]


def test_a_check_that_raises_says_what_it_raised():
    for error in (RuntimeError('no such operator'), OSError('no such operator'), SystemExit(3)):
        (check,) = attempt('NMS', raising(error))
        assert check.status is Status.FAIL
        assert check.name.startswith('NMS')
        assert check.found == f'{type(error).__name__}: {error}'


def test_the_caller_says_how_bad_a_check_that_raises_is():
    (check,) = attempt('NMS', raising(KeyError('x')), broken=Status.WARN)
    assert check.status is Status.WARN


def test_an_input_error_keeps_its_parts():
    (check,) = attempt('Data', raising(InputError('a.json: bad.', 'this', 'that', 'do so')))
    assert check == Check('a.json: bad.', Status.FAIL, 'this', 'that', 'do so')


def test_only_what_is_there_is_printed():
    assert str(SOUND) == 'Images\n  found:    48'
    full = str(Check('Bad.', Status.FAIL, 'this', 'that', 'do so'))
    assert full == 'Bad.\n  found:    this\n  expected: that\n  fix: do so'


def test_first_ten_of_many():
    assert first_ten([1, 2]) == '2: 1, 2'
    assert first_ten(list(range(12))) == '12: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more'
