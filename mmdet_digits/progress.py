"""A progress bar that says how many images a second go through."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)


class RateColumn(ProgressColumn):
    """Images per second."""

    def render(self, task: Task) -> str:
        """Text of the column."""
        return f'{task.completed / task.elapsed if task.elapsed else 0:.1f} images/s'


def image_progress(console: Console) -> Progress:
    """A progress bar of images on a console; nothing where that is no terminal."""
    return Progress(
        TextColumn('{task.description:8}'),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
