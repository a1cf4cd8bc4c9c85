import io

import pytest
from rich.console import Console

from mmdet_digits.runs.run_summary import EpochValue, RunSummary
from mmdet_digits.visualization.run_table import (
    comparison_markdown,
    comparison_rows,
    comparison_table,
)

FULL = RunSummary(
    epochs=30,
    images_seen=901920,
    seconds_per_epoch=1320.0,
    peak_memory_mib=7411.6,
    memory_of='GPU',
    largest_batch={'largest_batch': 16, 'memory': '8GiB'},
    best={'coco/bbox_mAP': EpochValue(0.4567, 27), 'val/loss': EpochValue(0.0, 3)},
    last={'mine/score': EpochValue(0.25, 30)},
    number_assembly='default with iou_thr=0.3',
)
BARE = RunSummary(0, None, None, None, None, None, {})


def test_rows_show_what_is_known_and_a_dash_elsewhere():
    heading, *rows = comparison_rows({'a': FULL, 'b': BARE})
    assert heading == ['', 'a', 'b']
    assert rows == [
        ['epochs', '30', '0'],
        ['images seen', '901,920', '-'],
        ['time per epoch', '22.0 min', '-'],
        ['peak memory', '7,412 MiB (GPU)', '-'],
        ['largest batch', '16 in 8GiB', 'not measured'],
        ['best mAP (epoch)', '0.457 (27)', '-'],
        ['best AP50 (epoch)', '-', '-'],
        ['best number accuracy (epoch)', '-', '-'],
        ['best precision (epoch)', '-', '-'],
        ['lowest val loss (epoch)', '0.000 (3)', '-'],
        ['last mine/score (epoch)', '0.250 (30)', '-'],
        ['numbers made by', 'default with iou_thr=0.3', '-'],
    ]


def test_markdown_is_a_table_whatever_a_run_is_called():
    text = comparison_markdown(comparison_rows({'a|b': FULL}))
    lines = text.splitlines()
    assert lines[:2] == ['|  | a\\|b |', '| --- | ---: |']
    assert all(line.replace('\\|', '').count('|') == 3 for line in lines) and len(lines) == 14


@pytest.mark.parametrize('name', ['a', '[bold]x[/bold]', 'a\\[b'])
def test_terminal(name):
    console = Console(file=io.StringIO(), width=100)
    console.print(comparison_table(comparison_rows({name: FULL})))
    text = console.file.getvalue()
    assert name in text and '22.0 min' in text
