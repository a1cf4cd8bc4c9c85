import json
import sys

import pytest

from mmdet_digits.utils.checks import Check, Status
from mmdet_digits.visualization.check_report import as_json, condensed, print_report

CHECKS = [
    ('Environment', Check('Python', Status.OK, '3.11')),
    ('Environment', Check('Odd.', Status.WARN, 'this [red]', 'that', 'do so\nor so')),
    ('Data', Check('train: ids', Status.OK, 'none')),
    ('Data', Check('train: sizes', Status.FAIL, '3: a, b, c', 'their own', 'correct them')),
    ('Data', Check('train: files', Status.OK, 'none')),
    ('Data', Check('valid: ids', Status.OK, 'none')),
]
LINES = (
    'Environment',
    'ok     Python',
    'warn   Odd.',
    'this [red]',
    'expected: that',
    'fix: do so',
    'or so',
    'Data',
    'fail   train: sizes',
    '2 checks went well',
    '6 checks: 4 ok, 1 warnings, 1 failures',
)


def one_space(text):
    return '\n'.join(' '.join(line.split()) for line in text.splitlines())


@pytest.mark.parametrize('with_rich', [True, False])
def test_report_shows_everything_with_and_without_rich(capsys, monkeypatch, with_rich):
    if not with_rich:
        monkeypatch.setitem(sys.modules, 'rich.table', None)  # its import then raises
    print_report(CHECKS)
    shown = one_space(capsys.readouterr().out)
    position = 0
    for line in LINES:
        position = shown.index(one_space(line), position)


def test_sound_checks_of_a_split_become_one_row():
    rows = [(check.name, check.status) for _, check in condensed(CHECKS)]
    assert rows == [
        ('Python', Status.OK),
        ('Odd.', Status.WARN),
        ('train: sizes', Status.FAIL),
        ('train', Status.OK),
        ('valid', Status.OK),
    ]


def test_json_holds_every_check():
    content = json.loads(as_json(CHECKS))
    assert (content['ok'], content['warn'], content['fail']) == (4, 1, 1)
    assert content['checks'][3] == {
        'group': 'Data',
        'name': 'train: sizes',
        'status': 'fail',
        'found': '3: a, b, c',
        'expected': 'their own',
        'fix': 'correct them',
    }
    assert len(content['checks']) == 6
