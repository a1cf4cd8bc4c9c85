"""mmdet-digits TOOL [arguments]: the tools, wherever the package is installed."""

import argparse
import ast
import runpy
import sys
from pathlib import Path

from mmdet_digits.errors import InputError
from mmdet_digits.repository import REPOSITORY


def main() -> None:
    """Run the tool that the command line names."""
    tools = {path.stem: path for path in sorted(REPOSITORY.joinpath('tools').rglob('*.py'))}
    parser = argparse.ArgumentParser(
        prog='mmdet-digits',
        description='Train detectors of digits, test them, and read numbers in images.',
        epilog='\n'.join(f'{name:22} {purpose(path)}' for name, path in tools.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('tool', choices=tools, metavar='TOOL', help='one of those below')
    parser.add_argument(
        'arguments', nargs=argparse.REMAINDER, metavar='...', help='its arguments, e.g. --help'
    )
    if len(sys.argv) == 1:
        parser.print_help()
        return
    args = parser.parse_args()
    sys.argv = [f'mmdet-digits {args.tool}', *args.arguments]
    try:
        runpy.run_path(str(tools[args.tool]), run_name='__main__')
    except ModuleNotFoundError as error:
        if str(error.name).startswith('mmdet_digits'):
            raise
        sys.exit(f'error: {not_installed(args.tool, str(error.name))}')


def not_installed(tool: str, package: str) -> InputError:
    """The message about a package that a tool needs and reading numbers does not."""
    return InputError(
        f'mmdet-digits {tool} needs more than is installed.',
        f'no package {package}',
        'what requirements.txt lists',
        'pip install -r requirements.txt, in a clone of the project',
    )


def purpose(tool: Path) -> str:
    """The first words of what a tool says about itself."""
    text = ast.get_docstring(ast.parse(tool.read_text(encoding='utf-8')))
    return text.partition('\n')[0].partition(': ')[0].rstrip('.:')


if __name__ == '__main__':
    main()
