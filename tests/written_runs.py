"""Folders of trainings, written as MMEngine writes them, for the tests of what reads them."""

import json
from pathlib import Path

CONFIG = """train_dataloader = dict(batch_size=8, dataset=dict(type='DigitsDataset'))
log_processor = dict(mean_pattern='^(?!val/).*(loss|time|grad_norm)', type='LogProcessor')
val_evaluator = [
    dict(ann_file='data/valid.json', type='DigitsCocoMetric'),
    dict(type='NumberMetric'),
]
"""
LOG = """    GPU number: {ranks}
2026/01/02 03:04:05 - mmengine - INFO - Epoch(train)  [1][ 10/{iters}]  lr: 1.0000e-03
2026/01/02 03:04:06 - mmengine - INFO - Epoch(val) [1][10/{val_iters}]    eta: 0:00:00
"""


def trained(epoch: int, iteration: int, **scalars) -> dict:
    """What is logged after a training iteration."""
    loss = dict(loss=2.0 / iteration, loss_cls=1.0 / iteration, loss_bbox=1.0 / iteration)
    logged = dict(lr=0.01, time=0.5, **loss, peak_memory=1000.0 + iteration) | scalars
    return logged | dict(epoch=epoch, iter=iteration, step=iteration)


def validated(epoch: int, **scalars) -> dict:
    """What is logged after a validation."""
    metrics = {
        'coco/bbox_mAP': epoch / 10,
        'coco/bbox_mAP_50': epoch / 8,
        'val/loss': 2 - epoch / 4,
    }
    return metrics | {'number/accuracy': epoch / 9, 'time': 0.25} | scalars | {'step': epoch}


def lines(records: list[dict]) -> str:
    """Records as the lines of a scalars.json."""
    return ''.join(json.dumps(record) + '\n' for record in records)


def write_part(run: Path, timestamp: str, text: str, config: str = CONFIG, log: str = '') -> Path:
    """Write what one start of a training leaves; return its scalars.json."""
    scalars = run / timestamp / 'vis_data' / 'scalars.json'
    scalars.parent.mkdir(parents=True)
    scalars.write_text(text)
    scalars.with_name('config.py').write_text(config)
    (run / timestamp / f'{timestamp}.log').write_text(log)
    return scalars


def write_run(run: Path, epochs: int = 3, iters: int = 40, interval: int = 10, **scalars) -> Path:
    """Write a whole run; ``scalars`` go into each validation."""
    records = []
    for epoch in range(1, epochs + 1):
        begin = (epoch - 1) * iters
        steps = range(begin + interval, begin + iters + 1, interval)
        records += [trained(epoch, step) for step in steps] + [validated(epoch, **scalars)]
    log = LOG.format(ranks=1, iters=iters, val_iters=13)
    write_part(run, '20260102_030405', lines(records), log=log)
    return run
