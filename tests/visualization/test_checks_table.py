from rich.console import Console

from mmdet_digits.utils.checks import Check, Status
from mmdet_digits.visualization.checks_table import checks_table, count_checks

CHECKS = [
    Check('ids', Status.OK, 'none'),
    Check('boxes', Status.WARN, '1: [bold]a.png[/bold]', 'boxes inside', 'cut them'),
    Check('files', Status.FAIL, '2: 1.png, 2.png', 'files', 'copy them'),
    Check('names', Status.OK, 'none'),
]


def rendered(checks, title=''):
    console = Console(width=100)
    with console.capture() as capture:
        console.print(checks_table(checks, title))
    return capture.get()


def test_failures_come_first_and_what_is_fine_is_one_line():
    text = rendered(CHECKS, 'train')
    assert text.startswith('train')
    assert text.index('files') < text.index('boxes') < text.index('2 checks')
    assert 'expected: boxes inside' in text and 'fix: cut them' in text
    assert 'ids, names' in text


def test_brackets_in_file_names_are_text():
    assert '[bold]a.png[/bold]' in rendered(CHECKS)


def test_nothing_but_fine_checks_and_nothing_at_all():
    assert '1 checks' in rendered(CHECKS[:1])
    assert rendered([]).strip()


def test_counts():
    assert count_checks(CHECKS) == '1 fail, 1 warn, 2 ok'
    assert count_checks([]) == '0 fail, 0 warn, 0 ok'
