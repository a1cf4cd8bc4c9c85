import io

from rich.console import Console

from mmdet_digits.visualization.metrics_table import metrics_table


def test_table_names_the_main_figures_and_leaves_out_what_is_missing():
    metrics = {
        'coco/bbox_mAP': 0.4567,
        'coco/3_precision': 0.25,
        'number/accuracy': 0.9,
        'images_per_second': 12.34,
        'time': 1.0,
        'coco/bbox_mAP_s': 0.1,
        'mine/score [v2]': 0.25,
        'mine/count': 7,
        'digits/f1': 0.5,
    }
    console = Console(file=io.StringIO(), width=80)
    console.print(metrics_table(metrics))
    text = console.file.getvalue()
    rows = [[cell.strip() for cell in line.split('│')[1:3]] for line in text.splitlines()]
    assert [row for row in rows if row] == [
        ['mAP', '0.457'],
        ['AP of 3', '0.250'],
        ['number accuracy', '0.900'],
        ['digit F1', '0.500'],
        ['images/s', '12.3'],
        ['mine/score [v2]', '0.250'],
        ['mine/count', '7'],
    ]
