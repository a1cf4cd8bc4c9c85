import json

import numpy as np
import pytest
from users_files import (
    FONTS,
    write_digit_folders,
    write_layouts,
    write_npz,
    write_photos,
)

from mmdet_digits.coco.folders import FolderError
from mmdet_digits.errors import InputError
from mmdet_digits.synthetic import (
    DatasetSpec,
    SceneSource,
    draw_scene,
    load_supplies,
    write_dataset,
)
from mmdet_digits.synthetic.box_style import BoxStyle, write_box_style
from mmdet_digits.synthetic.parameters import GENERATOR_VERSION, LAYOUTS_VERSION
from mmdet_digits.synthetic.sources import GLYPHS


@pytest.fixture
def files(tmp_path):
    """One file or folder for each option."""
    write_box_style(tmp_path / 'style.json', BoxStyle(left=0.2), {})
    number = (120, 60, [('4', [30, 10, 20, 40]), ('2', [52, 10, 20, 40])])
    return {
        'glyphs': str(write_npz(tmp_path / 'glyphs.npz')),
        'fonts': str(FONTS),
        'backgrounds': str(write_photos(tmp_path / 'photos')),
        'layouts': str(write_layouts(tmp_path / 'layouts.json.gz', [number])),
        'box_style': str(tmp_path / 'style.json'),
    }


def draw(**options):
    return draw_scene(np.random.default_rng(0), load_supplies(SceneSource(**options)))


def test_everything_together_can_be_drawn(files):
    scene = draw(**files, without=('strokes',))
    assert scene.digits == '42'


def test_photos_are_the_walls(files):
    drawn = draw(backgrounds=files['backgrounds'], without=('contrast', 'distractors', 'plates'))
    blue, green, red = drawn.image[:3].reshape(-1, 3).mean(0)
    assert max(blue, red) > 1.5 * green


def test_box_style_widens_the_drawn_boxes(files):
    tight, loose = draw(), draw(box_style=files['box_style'])
    assert np.array_equal(tight.image, loose.image)
    wider = tight.bboxes[:, 0] - loose.bboxes[:, 0]
    assert wider == pytest.approx(0.2 * tight.bboxes[:, 3])
    assert loose.bboxes[:, [1, 3]] == pytest.approx(tight.bboxes[:, [1, 3]])


def test_styled_boxes_end_at_the_edge_of_the_image(files, tmp_path):
    write_box_style(tmp_path / 'huge.json', BoxStyle(9, 9, 9, 9), {})
    scene = draw(box_style=str(tmp_path / 'huge.json'))
    height, width = scene.image.shape[:2]
    assert scene.bboxes.tolist() == [[0, 0, width, height]] * len(scene.digits)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(without=GLYPHS), 'There would be no digits'),
        (dict(without=['blurr']), 'found:    blurr'),
        (dict(glyphs='x', without=['handwriting']), 'glyphs are given, but'),
        (dict(fonts='x', without=['fonts']), 'leave fonts in, or give no fonts'),
        (dict(layouts='x', without=['layouts']), 'layouts are given, but'),
    ],
)
def test_options_that_contradict_each_other_are_told(options, message):
    with pytest.raises(InputError, match=message):
        SceneSource(**options)


def test_one_ingredient_may_stand_alone():
    assert SceneSource(without='blur') == SceneSource(without=['blur', 'blur'])


def test_unknown_options_of_a_config_are_told():
    with pytest.raises(InputError, match=r'found:    fnts(?s:.*)expected: glyphs, fonts'):
        SceneSource.from_options({'fnts': 'folder'})


@pytest.mark.parametrize('option', ['glyphs', 'fonts', 'backgrounds', 'layouts', 'box_style'])
def test_a_missing_file_is_told_and_nothing_written(tmp_path, option):
    source = SceneSource(**{option: str(tmp_path / 'absent')})
    with pytest.raises(InputError, match='absent'):
        write_dataset(tmp_path / 'out', DatasetSpec(1, 0, 0, source=source), workers=1)
    assert not (tmp_path / 'out').exists()


def test_the_marker_tells_the_source_and_another_one_is_refused(files, tmp_path):
    def write(**options):
        spec = DatasetSpec(2, 0, 0, source=SceneSource(**options))
        return write_dataset(tmp_path / 'out', spec, workers=1)

    assert write(glyphs=files['glyphs'], without=['jpeg', 'blur'])
    spec = json.loads((tmp_path / 'out' / 'synthetic.json').read_text())['spec']
    assert spec['source']['without'] == ['blur', 'jpeg']
    assert spec['source']['glyphs'].startswith('glyphs.npz sha256:')
    assert write(glyphs=files['glyphs'], without=['blur', 'jpeg']) is None
    with pytest.raises(FolderError, match=r'found:.*--without blur jpeg(?s:.*)expected:.*street'):
        write()
    load_supplies.cache_clear()
    images = np.full((30, 9, 9), 255, np.uint8)
    write_npz(tmp_path / 'glyphs.npz', images)
    with pytest.raises(FolderError, match='other synthetic data'):  # the same name, another file
        write(glyphs=files['glyphs'], without=['blur', 'jpeg'])


def test_default_source_leaves_no_trace_in_the_marker(tmp_path):
    write_dataset(tmp_path, DatasetSpec(1, 0, 0), workers=1)
    spec = json.loads((tmp_path / 'synthetic.json').read_text())['spec']
    assert spec == {'train': 1, 'valid': 0, 'test': 0, 'seed': 0, 'look': 'street'}


def test_layouts_of_a_file_have_a_version_of_their_own(files, tmp_path):
    """A change of them leaves scenes without such a file as they were, and their folders valid."""

    def version(name, **options):
        write_dataset(tmp_path / name, DatasetSpec(1, 0, 0, source=SceneSource(**options)), 1)
        return json.loads((tmp_path / name / 'synthetic.json').read_text())['generator_version']

    assert version('with', layouts=files['layouts']) == LAYOUTS_VERSION
    assert version('without', fonts=files['fonts']) == GENERATOR_VERSION


@pytest.mark.parametrize('start_method', ['fork', pytest.param('spawn', marks=pytest.mark.slow)])
def test_two_workers_draw_the_same(files, tmp_path, start_method):
    spec = DatasetSpec(22, 0, 0, source=SceneSource(**files))
    write_dataset(tmp_path / 'one', spec, workers=1)
    write_dataset(tmp_path / 'two', spec, workers=2, start_method=start_method)
    for path in sorted((tmp_path / 'one').rglob('*.*')):
        other = tmp_path / 'two' / path.relative_to(tmp_path / 'one')
        assert path.read_bytes() == other.read_bytes()


def test_folders_count_by_what_is_in_them(tmp_path):
    folder = write_digit_folders(tmp_path / 'digits')
    before = SceneSource(glyphs=str(folder)).record()
    (folder / '3' / 'more.png').write_bytes(b'more')
    assert SceneSource(glyphs=str(folder)).record() != before
