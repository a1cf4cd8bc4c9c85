"""What holds in every file of the package and of the tools."""

import ast
import re
import subprocess
import sys

import pytest

from mmdet_digits.repository import REPOSITORY

FILES = [path for name in ('mmdet_digits', 'tools') for path in (REPOSITORY / name).rglob('*.py')]


def lines_with(pattern):
    """Places and lines that match."""
    return [
        f'{path.relative_to(REPOSITORY)}:{number}: {line.strip()}'
        for path in FILES
        for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1)
        if re.search(pattern, line)
    ]


def opens_text(call):
    """Whether a call reads or writes text by the encoding of the locale."""
    name = ast.unparse(call.func).rpartition('.')[2] if isinstance(call.func, ast.Attribute) else ''
    modes = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    opens = ast.unparse(call.func) == 'open' or (
        name == 'open' and ast.unparse(call.func) not in ('Image.open', 'os.open')
    )
    as_text = name in ('read_text', 'write_text') or (opens and not any('b' in m for m in modes))
    return as_text and 'encoding' not in {argument.arg for argument in call.keywords}


def test_text_is_read_and_written_as_utf8_whatever_the_locale():
    bare = [
        f'{path.relative_to(REPOSITORY)}:{node.lineno}: {ast.unparse(node)}'
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        if isinstance(node, ast.Call) and opens_text(node)
    ]
    assert not bare


def test_rich_takes_no_text_for_markup():
    """Brackets in a user's path would be swallowed, or end in a traceback."""
    assert not lines_with(
        r'\bConsole\((?!.*markup=False)|^import rich|rich import print|rich\.print'
    )


def test_outputs_go_through_the_one_writer():
    """It writes them whole or not at all."""
    direct = (
        r'savefig\((?!content)|\.save\((?!.*\b(buffer|content|data|png)\b)'  # not in memory
        r'|imwrite\(|json\.dump\(|write_bytes\(|write_text\('
    )
    allowed = 'mmdet_digits/files.py'
    assert not [line for line in lines_with(direct) if not line.startswith(allowed)]


def test_imports_point_downwards():
    """The layers stand in pyproject.toml. In a process of its own, whose logs it sets up anew."""
    run = 'import sys, importlinter.cli as cli; sys.exit(cli.lint_imports(no_cache=True))'
    done = subprocess.run(
        [sys.executable, '-c', run], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_tools_that_messages_name_are_there():
    names = {
        name
        for path in FILES
        for name in re.findall(r"tool_command\(['\"]([\w/]+)", path.read_text(encoding='utf-8'))
    }
    assert {'train', 'check_data'} <= names
    assert not [name for name in names if not (REPOSITORY / 'tools' / f'{name}.py').is_file()]


@pytest.mark.skipif(not (REPOSITORY / '.git').exists(), reason='not in a clone')
def test_git_ignores_what_the_documented_commands_write():
    pages = [p for p in REPOSITORY.rglob('*.md') if not p.is_relative_to(REPOSITORY / '.venv')]
    outputs = {
        name if '.' in name else f'{name}/'
        for page in pages
        for name in re.findall(
            r'(?:--out|-o|--fix|--submission|--contact-sheet|best\.pth) ([a-z][\w./]+)',
            re.sub(' +#.*', '', page.read_text(encoding='utf-8')),  # without comments
        )
    }
    assert {'curves.png', 'numbers/', 'best.onnx', 'style.json', 'data/hw2/'} <= outputs
    ignored = subprocess.run(
        ['git', 'check-ignore', '--no-index', '--stdin'],
        cwd=REPOSITORY,
        input='\n'.join(outputs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert outputs - set(ignored.stdout.split()) == set()
