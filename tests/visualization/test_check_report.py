import json
import sys

import pytest

from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.visualization.check_report import as_json, condensed, count_checks, print_report

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
    'ok     3 checks',
    'went well',
    '1 fail, 1 warn, 4 ok',
)


def one_space(text):
    return '\n'.join(' '.join(line.split()) for line in text.splitlines())


@pytest.mark.parametrize('with_rich', [True, False])
def test_report_shows_everything_with_and_without_rich(capsys, monkeypatch, with_rich):
    if not with_rich:
        monkeypatch.setitem(sys.modules, 'rich.table', None)  # its import then raises
    print_report(CHECKS, {'Data'})
    shown = one_space(capsys.readouterr().out)
    position = 0
    for line in LINES:
        position = shown.index(one_space(line), position)


def test_sound_checks_of_a_brief_group_become_one_row():
    rows = [(group, check.name, check.status) for group, check in condensed(CHECKS, {'Data'})]
    assert rows == [
        ('Environment', 'Python', Status.OK),
        ('Environment', 'Odd.', Status.WARN),
        ('Data', 'train: sizes', Status.FAIL),
        ('Data', '3 checks', Status.OK),
    ]
    assert condensed(CHECKS, ()) == CHECKS
    assert condensed([], {'Data'}) == []


def test_counts():
    assert count_checks(check for _, check in CHECKS) == '1 fail, 1 warn, 4 ok'
    assert count_checks([]) == '0 fail, 0 warn, 0 ok'


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
