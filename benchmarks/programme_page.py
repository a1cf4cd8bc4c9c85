"""What a programme has found, as a page of Markdown tables."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

from common import print_table, spread

Found = Mapping[str, Any]


def page(settings: Found, stages: Mapping[str, Found]) -> str:
    """The text of ``results.md``.

    Args:
        settings: of the programme.
        stages: their outcomes by name, the kind of the stage before a colon.
    """
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        print('# GPU programme\n')
        print(', '.join(f'{name} {value}' for name, value in settings.items()))
        timed = done(stages, 'speed')
        if timed:
            print('\n## Speed of training\n')
            rows = [[name, *way_row(way)] for name in timed for way in timed[name]['ways']]
            print_table(['detector', *WAY_HEADER], rows)
        for kind, (header, row) in TABLES.items():
            found = done(stages, kind)
            if found:
                print(f'\n## {kind.capitalize()}\n')
                print_table(header, [[name, *row(outcome)] for name, outcome in found.items()])
        for outcome in done(stages, 'weights').values():
            print('\n## Weights\n\n`{join}`: {bytes:,} bytes, sha256 {sha256}'.format(**outcome))
        for outcome in done(stages, 'profile').values():
            print(f'\n## Profile\n\n{outcome["printed"]}')
        for outcome in done(stages, 'environment').values():
            print('\n## Environment\n')
            checks = outcome['checks']
            told = [c for c in checks if c['group'] == 'Environment' or c['status'] != 'ok']
            print('\n'.join(f'- {c["status"]}: {c["name"]}: {c["found"]}' for c in told))
        print('\n## Stages\n')
        print_table(['stage', 'state', 's', 'given'], [*map(stage_row, stages.items())])
        for name, outcome in stages.items():
            if 'message' in outcome:
                print(f'\n{name}:\n\n```\n{outcome["message"]}\n```')
    return text.getvalue()


def done(stages: Mapping[str, Found], kind: str) -> dict[str, Found]:
    """What the stages of a kind have found, by the rest of their names."""
    return {
        name.partition(': ')[2]: outcome
        for name, outcome in stages.items()
        if name.partition(': ')[0] == kind and outcome['state'] == 'done'
    }


def stage_row(item: tuple[str, Found]) -> Sequence[str]:
    """The cells of a stage."""
    name, outcome = item
    return [name, outcome['state'], *(str(outcome.get(key, '')) for key in ('seconds', 'given'))]


def way_row(way: Found) -> Sequence[str]:
    """The cells of the timed steps of one batch size and precision."""
    name = [str(way['batch']), 'AMP' if way['amp'] else 'FP32']
    if 'message' in way:
        return [*name, '', way['message'], '']
    memory = way['memory'] and way['memory'] / 1024
    return [*name, way['size'], spread(way['rates']), shown(memory, '.2f')]


def training_row(found: Found) -> Sequence[str]:
    """The cells of a training."""
    steps = found['last_logged_step'] if found['ended_early'] else found['steps']
    pace = found['seconds_per_image']
    return [
        f'{found["epochs"]} x {found["images"]:,}',
        f'{steps:,} of {found["steps"]:,}',
        shown(pace and 1 / pace, '.3g'),
        shown(found['last_loss'], '.4f'),
        shown(found['last_learning_rate'], '.2g'),
    ]


def test_row(found: Found) -> Sequence[str]:
    """The cells of a test."""
    accuracy, low, high = (
        shown(found[f'number/accuracy{part}'], '.3f') for part in ('', '_low', '_high')
    )
    return [
        shown(found['coco/bbox_mAP'], '.3f'),
        shown(found['coco/bbox_mAP_50'], '.3f'),
        f'{accuracy} ({low}-{high})',
        shown(found['images_per_second'], '.3g'),
    ]


def shown(value: float | None, form: str) -> str:
    """A number, or that there is none."""
    return '?' if value is None else format(value, form)


WAY_HEADER = ['batch', 'precision', 'input up to', 'images/s', 'peak memory, GiB']
TABLES = {
    'training': (
        ['recipe', 'epochs x images', 'steps', 'images/s', 'last loss', 'last learning rate'],
        training_row,
    ),
    'test': (['recipe', 'mAP', 'AP50', 'number accuracy', 'images/s'], test_row),
}
