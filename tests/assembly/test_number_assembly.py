import itertools

import numpy as np
import pytest
from assembly_reference import load_benchmark, per_image, random_detections, system_a, system_b

from mmdet_digits.assembly.detections import Detections
from mmdet_digits.assembly.number_assembly import (
    PRESETS,
    NumberAssembly,
    Reason,
    assemble_numbers,
    resolve_assembly,
    sweep_numbers,
)

OFF = {
    'score_thr': 0.0,
    'iou_thr': None,
    'containment_thr': None,
    'max_gap_heights': None,
    'min_height_ratio': None,
}


def digit(label, x, y=0, w=10, h=20, score=0.9):
    return [x, y, x + w, y + h], label, score


def read(digits, **rules):
    """Assemble one image's digits and return its number and the reasons."""
    bboxes, labels, scores = zip(*digits, strict=True) if digits else ([], [], [])
    detections = Detections(np.zeros(len(digits)), bboxes, labels, scores, 1)
    numbers = assemble_numbers(detections, {**OFF, **rules})
    return numbers.strings[0], [Reason(reason).name for reason in numbers.reasons]


ONE, TWO = [digit(7, 0)], [digit(1, 0), digit(2, 12)]
SCORES = [digit(1, 0, score=0.5), digit(2, 12, score=0.6)]
TWIN = [digit(6, 0, score=0.7), digit(0, 1, score=0.8), digit(5, 20)]  # IoU of 6 and 0: 9/11
SAME = [digit(6, 0, score=0.7), digit(6, 1, score=0.8), digit(5, 20)]
PART = [digit(8, 0, w=20), digit(1, 2, 2, w=5, h=10, score=0.8)]
HALF_OUT = [digit(8, 0, w=10), digit(1, 5, score=0.8)]  # half of the 1 lies in the 8
CHAIN = [digit(1, 0, score=0.9), digit(2, 4, score=0.8), digit(3, 8, score=0.7)]
FAR_ONE = [digit(1, 0), digit(2, 12), digit(3, 112)]
ALL_FAR = [digit(1, 0), digit(2, 100), digit(3, 200)]
TWO_FAR = [digit(1, 0, score=0.8), digit(2, 50.5, score=0.9)]
TWO_AT = [digit(1, 0, score=0.8), digit(2, 50, score=0.9)]
HIGH = [digit(1, 0), digit(2, 12), digit(3, 24, h=50)]
LOW_HIGH = [digit(1, 0, h=10, score=0.8), digit(2, 12, h=20, score=0.9)]
LEVEL = [digit(1, 0), digit(2, 12, h=40)]
STACK = [digit(1, 1, 50), digit(2, 0, 25), digit(3, 2, 0)]
CLIMB = [digit(1, 0, 40), digit(2, 8, 20), digit(3, 16, 0)]
SIGN = [digit(4, 0), digit(1, 12), *(digit(5, x, score=0.6) for x in (60, 72, 84))]
EDGE = [digit(1, 0), digit(2, 24)]  # 14 px apart, 0.7 of 20
BEYOND = [digit(1, 0), digit(2, 24.5, score=0.95)]
EVEN = [digit(2, 40), digit(1, 0)]
WIDE = [digit(1, 0, w=30), digit(2, 2, w=10)]  # the 2 starts later and has its centre earlier


@pytest.mark.parametrize(
    ('digits', 'rules', 'number', 'dropped'),
    [
        pytest.param([], {}, '-1', [], id='empty'),
        pytest.param(ONE, {}, '7', [], id='one'),
        pytest.param(TWO[::-1], {}, '12', [], id='sorted'),
        pytest.param(SCORES, {'score_thr': 0.5}, '12', [], id='score at the threshold'),
        pytest.param(
            SCORES, {'score_thr': 0.5, 'score_inclusive': False}, '2', ['LOW_SCORE'], id='score, >'
        ),
        pytest.param(SCORES, {'score_thr': 0.7}, '-1', ['LOW_SCORE'] * 2, id='all low'),
        pytest.param(TWIN, {}, '605', [], id='iou off'),
        pytest.param(TWIN, {'iou_thr': 0.5}, '05', ['DUPLICATE'], id='iou, better one stays'),
        pytest.param(TWIN, {'iou_thr': 180 / 220}, '605', [], id='iou at the threshold'),
        pytest.param(TWIN, {'iou_thr': 0.5, 'class_agnostic': False}, '605', [], id='iou, class'),
        pytest.param(
            SAME, {'iou_thr': 0.5, 'class_agnostic': False}, '65', ['DUPLICATE'], id='same class'
        ),
        pytest.param(
            TWIN, {'iou_thr': 0.5, 'duplicate_winner': 'left'}, '65', ['DUPLICATE'], id='left stays'
        ),
        pytest.param(CHAIN, {'iou_thr': 0.4}, '13', ['DUPLICATE'], id='dropped one drops none'),
        pytest.param(CHAIN, {'iou_thr': 0.0}, '1', ['DUPLICATE'] * 2, id='iou 0'),
        pytest.param(PART, {'iou_thr': 0.5}, '81', [], id='part, iou only'),
        pytest.param(PART, {'containment_thr': 0.9}, '8', ['CONTAINED'], id='part'),
        pytest.param(HALF_OUT, {'containment_thr': 0.5}, '81', [], id='containment at threshold'),
        pytest.param(HALF_OUT, {'containment_thr': 0.49}, '8', ['CONTAINED'], id='containment'),
        pytest.param(FAR_ONE, {'max_gap_px': 50}, '12', ['FAR'], id='far one of three'),
        pytest.param(FAR_ONE, {'max_gap_px': 100}, '123', [], id='gap at the threshold'),
        pytest.param(FAR_ONE, {'max_gap_heights': 4.9}, '12', ['FAR'], id='far in heights'),
        pytest.param(FAR_ONE, {'max_gap_heights': 5}, '123', [], id='heights at the threshold'),
        pytest.param(ALL_FAR, {'max_gap_px': 50}, '123', [], id='all far: all stay'),
        pytest.param(TWO_FAR, {'max_gap_px': 50}, '2', ['FAR'], id='two far: better one'),
        pytest.param(TWO_AT, {'max_gap_px': 50}, '12', [], id='two at the threshold'),
        pytest.param(ONE, {'max_gap_px': 0}, '7', [], id='gap of one'),
        pytest.param(HIGH, {'min_height_ratio': 0.5}, '12', ['ODD_HEIGHT'], id='too high'),
        pytest.param(HIGH, {'min_height_ratio': 0.4}, '123', [], id='height at the threshold'),
        pytest.param(LOW_HIGH, {'min_height_ratio': 0.6}, '2', ['ODD_HEIGHT'], id='two heights'),
        pytest.param(LEVEL, {'min_height_ratio': 0.6}, '1', ['ODD_HEIGHT'], id='two equal scores'),
        pytest.param(CHAIN, {'max_digits': 2}, '12', ['SURPLUS'], id='surplus: worst leaves'),
        pytest.param(TWO, {'max_digits': 1}, '1', ['SURPLUS'], id='surplus: tie, left one stays'),
        pytest.param(TWO, {'max_digits': 2}, '12', [], id='as many as allowed'),
        pytest.param(STACK, {'order': 'left'}, '213', [], id='stack by left edge'),
        pytest.param(STACK, {'order': 'center'}, '213', [], id='stack by centre'),
        pytest.param(STACK, {'order': 'axis'}, '321', [], id='stack along its axis'),
        pytest.param(CLIMB, {'order': 'axis'}, '123', [], id='slant along its axis'),
        pytest.param(ONE, {'order': 'axis'}, '7', [], id='axis of one'),
        pytest.param(SIGN, {'one_group': True}, '41', ['FAR'] * 3, id='the surest group'),
        pytest.param(SIGN, {}, '41555', [], id='all groups'),
        pytest.param(SIGN[2:], {'one_group': True}, '555', [], id='one group'),
        pytest.param(EDGE, {'one_group': True}, '12', [], id='just near enough'),
        pytest.param(BEYOND, {'one_group': True}, '2', ['FAR'], id='just too far'),
        pytest.param(EVEN, {'one_group': True}, '1', ['FAR'], id='equally sure: further left'),
        pytest.param([], {'one_group': True}, '-1', [], id='no group'),
        pytest.param(WIDE, {'order': 'left'}, '12', [], id='by left edge'),
        pytest.param(WIDE, {'order': 'center'}, '21', [], id='by centre'),
        pytest.param([digit(2, 0, 9), digit(1, 0)], {}, '12', [], id='equal edges: higher first'),
        pytest.param(
            [digit(2, 0, 9), digit(1, 0)], {'ties': 'input'}, '21', [], id='equal edges: input'
        ),
        pytest.param([digit(0, 0), digit(0, 9), digit(7, 18)], {}, '007', [], id='leading zeros'),
        pytest.param(
            [digit(0, 0), digit(0, 9), digit(7, 18)],
            {'leading_zeros': False},
            '7',
            ['LEADING_ZERO'] * 2,
            id='integer',
        ),
        pytest.param(
            [digit(0, 0), digit(0, 9)], {'leading_zeros': False}, '0', ['LEADING_ZERO'], id='int 0'
        ),
    ],
)
def test_rules(digits, rules, number, dropped):
    found, reasons = read(digits, **rules)
    assert found == number
    assert [reason for reason in reasons if reason != 'READ'] == dropped


def test_far_pixels_do_not_scale_and_heights_do():
    digits = [digit(1, 0), digit(2, 20), digit(3, 40)]
    large = [([4 * value for value in bbox], *rest) for bbox, *rest in digits]
    assert read(large, max_gap_px=50)[0] == '123'  # all are far, so all stay
    assert read(large[:2], max_gap_px=50)[0] == '1'
    assert read(large[:2], max_gap_heights=1.5)[0] == read(digits[:2], max_gap_heights=1.5)[0]


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize(('preset', 'procedure'), [('system_a', system_a), ('system_b', system_b)])
def test_presets_equal_the_published_procedures(seed, preset, procedure):
    detections = random_detections(seed, num_images=1000)
    numbers = assemble_numbers(detections, preset)
    assert numbers.strings.tolist() == [procedure(image) for image in per_image(detections)]


def test_system_b_keeps_the_left_box_and_both_classes():
    worse_left = [digit(3, 0, score=0.7), digit(3, 1, score=0.99), digit(5, 2, score=0.8)]
    bboxes, labels, scores = zip(*worse_left, strict=True)
    detections = Detections([0] * 3, bboxes, labels, scores, 1)
    numbers = assemble_numbers(detections, 'system_b')
    assert numbers.strings[0] == '35'
    assert numbers.positions.tolist() == [0, -1, 1]
    assert assemble_numbers(detections).strings[0] == '3'


SETTINGS = [
    *PRESETS.values(),
    NumberAssembly(order='center', max_digits=2),
    NumberAssembly(order='axis', iou_thr=0.2, class_agnostic=False),
    NumberAssembly(max_gap_px=40.0, max_gap_heights=None, ties='input', leading_zeros=False),
    NumberAssembly(duplicate_winner='left', containment_thr=None, min_height_ratio=0.7),
    NumberAssembly(one_group=True, max_gap_heights=None, min_height_ratio=None),
    NumberAssembly(one_group=True, iou_thr=0.3, max_digits=3),
]


@pytest.mark.parametrize('setting', SETTINGS, ids=range(len(SETTINGS)))
@pytest.mark.parametrize('mean', [1.5, 12.0])
def test_vectorised_equals_plain_loop(setting, mean):
    detections = random_detections(5, mean=mean)
    flat = [
        values.tolist()
        for values in (
            detections.image_index,
            detections.bboxes,
            detections.labels,
            detections.scores,
        )
    ]
    plain = load_benchmark().plain_numbers(*flat, detections.num_images, setting)
    assert assemble_numbers(detections, setting).strings.tolist() == plain


def test_all_at_once_equals_one_by_one():
    detections = random_detections(1, num_images=60, mean=6)
    together = assemble_numbers(detections)
    for image in range(60):
        mask = detections.image_index == image
        alone = assemble_numbers(
            Detections(
                np.zeros(mask.sum()),
                detections.bboxes[mask],
                detections.labels[mask],
                detections.scores[mask],
                1,
            )
        )
        assert alone.strings[0] == together.strings[image]
        assert alone.confidences[0] == together.confidences[image]
        assert alone.positions.tolist() == together.positions[mask].tolist()
        assert alone.reasons.tolist() == together.reasons[mask].tolist()


@pytest.mark.parametrize('order', ['left', 'center', 'axis'])
def test_order_of_input_does_not_matter(order):
    detections = random_detections(2, mean=8)
    setting = NumberAssembly(order=order, max_digits=3)
    expected = assemble_numbers(detections, setting)
    for seed in range(3):
        shuffle = np.random.default_rng(seed).permutation(len(detections))
        shuffled = Detections(
            detections.image_index[shuffle],
            detections.bboxes[shuffle],
            detections.labels[shuffle],
            detections.scores[shuffle],
            detections.num_images,
        )
        numbers = assemble_numbers(shuffled, setting)
        assert numbers.strings.tolist() == expected.strings.tolist()
        assert numbers.confidences.tolist() == expected.confidences.tolist()


@pytest.mark.parametrize('preset', PRESETS)
def test_record_spells_the_number(preset):
    detections = random_detections(3)
    numbers = assemble_numbers(detections, preset)
    spelled = [{} for _ in range(detections.num_images)]
    for n in np.flatnonzero(numbers.positions >= 0):
        spelled[detections.image_index[n]][numbers.positions[n]] = str(detections.labels[n])
    joined = [''.join(text[i] for i in range(len(text))) or '-1' for text in spelled]
    assert joined == numbers.strings.tolist()
    assert ((numbers.positions >= 0) == (numbers.reasons == Reason.READ)).all()


def test_confidence_is_the_product_of_the_scores_read():
    bboxes, labels, scores = zip(
        digit(1, 0, score=0.9), digit(2, 12, score=0.8), digit(3, 24, score=0.3), strict=True
    )
    numbers = assemble_numbers(Detections([0, 0, 1], bboxes, labels, scores, 3))
    np.testing.assert_allclose(numbers.confidences, [0.72, 0, 0])
    assert numbers.strings.tolist() == ['12', '-1', '-1']


def test_no_detections_and_no_images():
    nothing = ([], np.zeros((0, 4)), [], [])
    assert assemble_numbers(Detections(*nothing, 2)).strings.tolist() == ['-1', '-1']
    assert assemble_numbers(Detections(*nothing, 0)).strings.tolist() == []


def test_long_numbers_and_many_boxes():
    digits = [digit(n % 10, 12 * n) for n in range(120)]
    assert read(digits)[0] == '0123456789' * 12


def test_sweep_equals_single_calls():
    detections = random_detections(4)
    grid = [
        {'score_thr': score, 'iou_thr': iou, 'order': order}
        for score, iou, order in itertools.product([0.4, 0.7], [None, 0.3], ['left', 'axis'])
    ]
    for setting, numbers in zip(grid, sweep_numbers(detections, grid), strict=True):
        assert numbers.strings.tolist() == assemble_numbers(detections, setting).strings.tolist()
    assert list(sweep_numbers(detections, [])) == []


def test_resolve():
    assert resolve_assembly('default') == NumberAssembly()
    assert resolve_assembly({'score_thr': 0.7}) == NumberAssembly(score_thr=0.7)
    changed = resolve_assembly({'preset': 'system_b', 'score_thr': 0.5})
    assert (changed.score_thr, changed.iou_thr, changed.max_gap_px) == (0.5, 0.3, 50.0)
    assert resolve_assembly(changed) is changed


@pytest.mark.parametrize(
    ('spec', 'message'),
    [
        ('defalt', "no preset 'defalt', did you mean 'default'"),
        (None, 'no preset None'),
        ({'preset': 'system_c'}, "no preset 'system_c', did you mean 'system_b'"),
        ({'score_treshold': 0.5}, "no key 'score_treshold', did you mean 'score_thr'"),
        ({'score_thr': 1.2}, 'score_thr: expected 0 to 1, found 1.2'),
        ({'score_thr': None}, 'score_thr: expected a number, found None'),
        ({'iou_thr': True}, 'iou_thr: expected a number, found True'),
        ({'leading_zeros': 'no'}, r"leading_zeros: expected one of .*, found 'no'"),
        ({'max_digits': 0}, 'max_digits: expected 1 to inf, found 0'),
        ({'order': 'right'}, r"order: expected one of \('left', 'center', 'axis'\), found 'right'"),
    ],
)
def test_wrong_settings_are_named(spec, message):
    with pytest.raises(ValueError, match=message):
        resolve_assembly(spec)
