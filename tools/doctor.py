"""Check everything a run needs: python tools/doctor.py [CONFIG] [--data-root DIR].

Environment, config and data are looked at, whatever is missing or broken; exit status 1 if a check
fails.
"""

import argparse
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))  # so that it runs before anything is installed


def require_python():
    """Say that this Python is too old before a line that it cannot read is imported."""
    text = (REPOSITORY / 'pyproject.toml').read_text(encoding='utf-8')
    oldest = re.search(r'requires-python = ">=(\d+)\.(\d+)', text).groups()
    if sys.version_info[:2] < tuple(map(int, oldest)):
        sys.exit(
            'error: This Python is too old.\n  found:    {}\n  expected: {}.{} or newer\n'
            '  fix: create the environment with another: python{}.{} -m venv .venv'.format(
                sys.version.split()[0], *oldest * 2
            )
        )


def parse_args():
    from mmdet_digits.cli import path_and_value

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', nargs='?', help='config file, e.g. configs/digits/frcnn_tiny.py')
    parser.add_argument('--data-root', help='folder with the data set (or set DIGITS_DATA_ROOT)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        type=path_and_value,
        default=[],
        metavar='PATH=VALUE',
        help='change values of CONFIG, as tools/train.py does',
    )
    parser.add_argument('--json', action='store_true', help='print JSON, for machines')
    parser.add_argument('--debug', action='store_true', help='show tracebacks and library output')
    args = parser.parse_args()
    if args.cfg_options and not args.config:
        parser.error('found --cfg-options without CONFIG, expected CONFIG in front of them')
    return args


def main():
    from mmdet_digits.checks.doctor import examine
    from mmdet_digits.checks.doctor_steps import Subject
    from mmdet_digits.checks.finding import Status
    from mmdet_digits.cli import reader_may_leave
    from mmdet_digits.visualization.check_report import as_json, print_report

    args = parse_args()
    subject = Subject(args.config, args.data_root, tuple(args.cfg_options))
    checks = list(examine(subject, announce, args.debug))
    announce('')
    with reader_may_leave():
        print(as_json(checks)) if args.json else print_report(checks, {'Data'})
    sys.exit(any(check.status is Status.FAIL for _, check in checks))


def announce(title):
    """Show what is looked at: on one line of a terminal, else a line for each."""
    if sys.stderr.isatty():
        print(f'\r\033[K{title}', end=f'{" ..." * bool(title)}', file=sys.stderr, flush=True)
    elif title:
        print(f'{title} ...', file=sys.stderr, flush=True)


if __name__ == '__main__':
    require_python()
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
