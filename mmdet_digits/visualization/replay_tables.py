"""The tables that replaying a batch ends with."""

from collections.abc import Mapping, Sequence

from rich.table import Table

YES_NO = {True: 'yes', False: 'NO'}


def loss_table(recorded: Mapping[str, float], replayed: Mapping[str, float]) -> Table:
    """Lay the losses of a training and of its replay out side by side.

    Args:
        recorded: value per loss term, in the training.
        replayed: the same, when it was run again.
    """
    table = Table('loss')
    for column in ('in the training', 'replayed'):
        table.add_column(column, justify='right')
    for name in [*recorded, *(name for name in replayed if name not in recorded)]:
        values = (losses.get(name) for losses in (recorded, replayed))
        table.add_row(name, *('' if value is None else f'{value:.9g}' for value in values))
    return table


def module_table(runs: Sequence) -> Table:
    """Lay calls of modules out in their order: whether outputs, inputs and weights are finite.

    Args:
        runs: of :class:`mmdet_digits.engine.replay.ModuleRun`.
    """
    table = Table()
    for column in ('module', 'class', 'output', 'finite', 'inputs', 'weights'):
        table.add_column(column, no_wrap=True)
    for run in runs:
        flags = (YES_NO[flag] for flag in (run.finite, run.finite_inputs, run.finite_weights))
        table.add_row(run.name, run.kind, 'x'.join(map(str, run.shape)), *flags)
    return table
