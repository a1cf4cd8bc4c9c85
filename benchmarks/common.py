"""What the benchmarks share: the machine they ran on, how they take the time, their tables."""

import statistics
import time
from collections.abc import Callable, Sequence

import joblib
import torch
import torchvision


def describe_machine() -> str:
    """The line that belongs over each table: chips, threads and versions."""
    features = torch.cpu.get_capabilities()
    cpu = features.get('cpu_name') or features['architecture']
    bfloat16 = [name for name in ('avx512_bf16', 'amx_bf16', 'bf16') if features.get(name)]
    parts = [
        f'{cpu} ({", ".join(bfloat16) or "no bfloat16"}), {joblib.cpu_count()} cores, '
        f'{torch.get_num_threads()} threads',
        f'torch {torch.__version__}, torchvision {torchvision.__version__}',
    ]
    if torch.cuda.is_available():
        parts.insert(0, torch.cuda.get_device_name())
    return '; '.join(parts)


def seconds_of(
    function: Callable[[], object], clock: Callable[[], float] = time.perf_counter
) -> float:
    """How long a call takes, with what it has started on a GPU."""
    synchronize()
    started = clock()
    function()
    synchronize()
    return clock() - started


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def time_in_turn(
    ways: dict[str, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time several ways to do something, in turn, so that other load hits them alike.

    Args:
        ways: what to call, by name.
        repeats: calls of each, after one that warms up.
        clock: gives seconds.

    Returns:
        The seconds of each call.
    """
    seconds = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            taken = seconds_of(way, clock)
            if repeat:
                seconds[name].append(taken)
    return seconds


def spread(values: Sequence[float], digits: int = 3) -> str:
    """The median and, in brackets, the smallest and the largest value."""
    low, middle, high = (
        f'{value:.{digits}g}' for value in (min(values), statistics.median(values), max(values))
    )
    return f'{middle} ({low}-{high})'


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table; the first column is text, the others are numbers."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ['-' * widths[0], *('-' * (width - 1) + ':' for width in widths[1:])]
    for cells in (header, rule, *rows):
        first, *others = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        print('| ' + ' | '.join([first, *others]) + ' |')
