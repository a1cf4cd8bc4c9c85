"""The page about trainings, from folders as MMEngine writes them."""

import json
from html.parser import HTMLParser

from written_runs import CONFIG, LOG, lines, trained, validated, write_part, write_run

from mmdet_digits.runs.run_history import read_runs
from mmdet_digits.visualization.run_report import (
    difference_rows,
    fact_rows,
    rows_of_tests,
    run_report,
)

TESTED = {'coco/bbox_mAP': 0.4, 'number/accuracy': 0.8123, 'images_per_second': 41.26}


class Texts(HTMLParser):
    """The texts of the cells of a page, and which elements it has."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.tags = [], set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.texts.append(data.strip())


def test_a_page_about_one_run(tmp_path):
    write_run(tmp_path / 'one')
    runs = read_runs([tmp_path / 'one'])
    page = Texts(run_report(runs))
    assert 'Not tested yet: tools/test.py writes metrics.json into the folder of the run.' in (
        page.texts
    )
    assert {'svg', 'details', 'table'} <= page.tags and 'script' not in page.tags
    assert 'Where their configs differ' not in page.texts
    assert 'best number accuracy (epoch)' in page.texts and '0.333 (3)' in page.texts
    (tmp_path / 'one' / 'metrics.json').write_text(json.dumps(TESTED))
    page = Texts(run_report(runs))
    assert '0.812' in page.texts and '41.3' in page.texts


def test_the_same_runs_give_the_same_bytes(tmp_path):
    for name in ('a', 'b'):
        write_run(tmp_path / name)
    runs = read_runs([tmp_path / 'a', tmp_path / 'b'])
    assert run_report(runs) == run_report(runs)


def test_what_differs_is_shown_by_its_path(tmp_path):
    write_run(tmp_path / 'a')
    config = CONFIG.replace('batch_size=8', "batch_size=16, sampler=dict(type='<b>')")
    log = LOG.format(ranks=1, iters=10, val_iters=1)
    write_part(tmp_path / 'b', '1', lines([trained(1, 10), validated(1)]), config, log)
    runs = read_runs([tmp_path / 'a', tmp_path / 'b'], ['first', 'second'])
    assert difference_rows(runs) == [
        ['', 'first', 'second'],
        ['train_dataloader.batch_size', '8', '16'],
        ['train_dataloader.sampler.type', '-', "'<b>'"],
    ]
    assert ['batch, per process', '8', '16'] in fact_rows(runs)
    page = run_report(runs)
    assert '<b>' not in page and '&lt;b&gt;' in page


def test_figures_of_tests_stand_side_by_side(tmp_path):
    for name in ('a', 'b'):
        write_run(tmp_path / name)
    (tmp_path / 'b' / 'metrics.json').write_text(json.dumps(TESTED))
    assert rows_of_tests(read_runs([tmp_path / 'a', tmp_path / 'b'])) == [
        ['', 'a', 'b'],
        ['mAP', '-', '0.400'],
        ['number accuracy', '-', '0.812'],
        ['images/s', '-', '41.3'],
    ]
