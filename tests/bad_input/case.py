"""One row of the catalogue, and the ways to break one thing of a sound folder."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Breaking = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """One mistake.

    Args:
        what: The mistake in words.
        breaks: Makes it, given the sound folder; None where the command itself is the mistake.
        command: What is run in the folder: a tool and its arguments, split as a shell does.
        says: What the message must contain, besides ``found:``, ``expected:`` and ``fix:``.
        leaves: Folder that the command may write to all the same, for its log.
    """

    what: str
    breaks: Breaking | None
    command: str
    says: tuple[str, ...]
    leaves: str | None = None


def case(what: str, breaks: Breaking | None, command: str, *says: str, leaves=None) -> Case:
    """Make a row of the catalogue."""
    return Case(what, breaks, command, says, leaves)


def remove(name: str) -> Breaking:
    """Remove a file or a folder."""

    def breaks(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return breaks


def write(name: str, content: str | bytes = b'') -> Breaking:
    """Put a file there, in place of what stands there."""

    def breaks(folder: Path) -> None:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return breaks


def make_folder(name: str) -> Breaking:
    """Put an empty folder there, in place of what stands there."""

    def breaks(folder: Path) -> None:
        write(name)(folder)
        (folder / name).unlink()
        (folder / name).mkdir()

    return breaks


def cut(name: str) -> Breaking:
    """Cut a file off in the middle."""

    def breaks(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return breaks


def add_text(name: str, text: str) -> Breaking:
    """Add lines to a text file."""
    return lambda folder: write(name, (folder / name).read_text() + text)(folder)


def replace_text(name: str, old: str, new: str) -> Breaking:
    """Replace the first occurrence of a text in a file."""

    def breaks(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return breaks


def edit(name: str, change: Callable[[object], object]) -> Breaking:
    """Change the content of a JSON file, in place."""

    def breaks(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return breaks


def every(*breakings: Breaking) -> Breaking:
    """Make several mistakes."""

    def breaks(folder: Path) -> None:
        for breaking in breakings:
            breaking(folder)

    return breaks
