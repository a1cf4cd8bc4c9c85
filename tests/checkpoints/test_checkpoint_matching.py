import pytest
import torch
from mmengine.optim import CosineAnnealingLR, MultiStepLR, ReduceOnPlateauLR

from mmdet_digits.checkpoints.matching import check_checkpoint, check_schedulers, leave_out
from mmdet_digits.errors import InputError

CLASSES = ('0', '1')
NORM = {'neck.bn.num_batches_tracked': torch.tensor(0)}
BODY = {'neck.conv.weight': torch.ones(2, 2)}
HEAD = {'head.fc_cls.weight': torch.ones(3, 2), 'head.fc_cls.bias': torch.ones(3)}
MODEL = {**NORM, **BODY, **HEAD}


def check(weights, classes=CLASSES, complete=True, **meta):
    if classes:
        meta['dataset_meta'] = {'classes': classes}
    content = {'state_dict': weights, 'meta': meta}
    return check_checkpoint(content, 'x.pth', MODEL, CLASSES, complete)


def message(*args, **kwargs) -> str:
    with pytest.raises(InputError) as error:
        check(*args, **kwargs)
    text = str(error.value)
    assert text.startswith('x.pth: ')
    assert all(f'\n  {word}:' in text for word in ('found', 'expected', 'fix'))
    return text


@pytest.mark.parametrize('complete', [True, False])
@pytest.mark.parametrize(
    'weights',
    [
        MODEL,
        {**BODY, **HEAD},  # old files lack the counters
        {f'module.{name}': value for name, value in MODEL.items()},  # MMEngine strips this
        {name: value.half() for name, value in MODEL.items()},
    ],
    ids=['same', 'no counters', 'module.', 'half'],
)
def test_what_fits(weights, complete):
    check(weights, complete=complete)
    check(weights, classes=None, complete=complete)
    check(weights, classes=['0', '1'], complete=complete)


def test_a_bare_state_dict_fits():
    check_checkpoint(MODEL, 'x.pth', MODEL, CLASSES, complete=True)


@pytest.mark.parametrize(
    'classes', [('1', '0'), ('0',), ('cat', 'dog'), ('0', '1', '2')], ids='-'.join
)
def test_other_classes_name_both_lists(classes):
    text = message(MODEL, classes)
    assert f'found:    {len(classes)}: {", ".join(classes)}\n' in text
    assert 'expected: 2: 0, 1, in this order' in text


def test_classes_in_the_way_of_mmdet_2():
    with pytest.raises(InputError, match='1: cat'):
        check_checkpoint(
            {'state_dict': MODEL, 'meta': {'dataset_meta': {'CLASSES': ['cat']}}},
            'x.pth',
            MODEL,
            CLASSES,
            True,
        )


@pytest.mark.parametrize('classes', [5, 'ten', {'a': 1}, [[1]]])
def test_classes_that_are_no_list_of_names(classes):
    assert 'other classes' in message(MODEL, classes)


COCO_HEAD = {'head.fc_cls.weight': torch.ones(81, 2), 'head.fc_cls.bias': torch.ones(81)}
COCO_CLASSES = [f'c{i}' for i in range(80)]


@pytest.mark.parametrize('classes', [COCO_CLASSES, None], ids=['named', 'not named'])
def test_a_training_starts_without_the_head_of_another_number_of_classes(classes):
    coco = {**MODEL, **COCO_HEAD}
    assert check(coco, classes, complete=False) == list(COCO_HEAD)
    message(coco, classes, complete=True)
    assert check(BODY, classes=None, complete=False) == []


def test_classes_at_the_place_of_mmdet_2_0():
    content = {'state_dict': MODEL, 'meta': {'CLASSES': ('1', '0')}}
    with pytest.raises(InputError, match='2: 1, 0'):
        check_checkpoint(content, 'x.pth', MODEL, CLASSES, complete=False)


def test_a_head_of_as_many_other_classes_does_not_start_a_training():
    wide = {**MODEL, 'rpn.weight': torch.ones(9, 2)}
    content = {'state_dict': wide, 'meta': {'dataset_meta': {'classes': ('1', '0')}}}
    model = {**MODEL, 'rpn.weight': torch.ones(3, 2)}
    with pytest.raises(InputError, match='other classes'):
        check_checkpoint(content, 'x.pth', model, CLASSES, complete=False)


def test_a_body_of_another_width_does_not_start_a_training():
    text = message({**MODEL, 'neck.conv.weight': torch.ones(2, 4)}, classes=None, complete=False)
    assert 'neck.conv.weight 2x4' in text and 'neck.conv.weight 2x2' in text


def test_what_is_left_out_is_gone():
    checkpoint = {'state_dict': {'module.' + k: v for k, v in {**MODEL, **COCO_HEAD}.items()}}
    leave_out(checkpoint, 'x.pth', list(COCO_HEAD), MODEL)
    assert checkpoint['state_dict'].keys() == {**NORM, **BODY}.keys()


def test_missing_and_unknown_names():
    assert 'missing: head.fc_cls.weight, head.fc_cls.bias; unknown: none' in message(BODY)
    assert 'missing: none; unknown: more' in message({**MODEL, 'more': torch.ones(1)})
    check({**MODEL, 'more': torch.ones(1)}, complete=False)
    assert 'unknown: fc' in message({'fc': torch.ones(1)}, complete=False)


def test_what_holds_no_weights():
    for weights in ({}, {'a': 1}, [1]):
        assert 'holds no weights' in message(weights)


def test_a_weight_that_is_no_tensor():
    assert 'head.fc_cls.bias no tensor' in message({**MODEL, 'head.fc_cls.bias': 'x'})


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_are_not_numbers(value):
    weights = {**MODEL, 'neck.conv.weight': torch.full((2, 2), value)}
    for complete in (True, False):
        assert 'NaN or infinity in neck.conv.weight' in message(weights, complete=complete)
    check({**MODEL, 'unused': torch.tensor(value)}, complete=False)


def schedulers(epochs=0):
    """A cosine and steps, after a number of epochs."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    made = [CosineAnnealingLR(optimizer, T_max=9), MultiStepLR(optimizer, milestones=[3, 6])]
    for _ in range(epochs):
        optimizer.step()
        for scheduler in made:
            scheduler.step()
    return made


def test_schedulers_go_on_from_their_own_states():
    states = [scheduler.state_dict() for scheduler in schedulers(epochs=4)]
    check_schedulers(states, 'x.pth', schedulers())
    check_schedulers([], 'x.pth', schedulers())
    check_schedulers(states, 'x.pth', [])


@pytest.mark.parametrize('rule', ['less', 'greater'])
def test_a_plateau_goes_on_from_its_best_metric(rule):
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    first, again = (ReduceOnPlateauLR(optimizer, monitor='mAP', rule=rule) for _ in range(2))
    check_schedulers([first.state_dict()], 'x.pth', [again])
    first.step({'mAP': 0.25})
    check_schedulers([first.state_dict()], 'x.pth', [again])
    for best in ('0.25', None, float('nan'), [0.25]):
        with pytest.raises(InputError, match=r'param_schedulers\[0\]\.best'):
            check_schedulers([{**first.state_dict(), 'best': best}], 'x.pth', [again])


@pytest.mark.parametrize(
    ('number', 'name', 'value'),
    [
        (0, 'last_step', 'four'),
        (0, 'last_step', 4.0),
        (0, 'last_step', True),
        (0, 'base_values', 0.1),
        (0, 'base_values', ['a']),
        (0, 'base_values', []),
        (0, 'base_values', [float('nan')]),
        (0, 'eta_min', [0]),
        (0, 'eta_min_ratio', 'low'),
        (0, 'T_max', None),
        (0, 'by_epoch', 'yes'),
        (1, 'milestones', [3, 6]),
        (1, 'param_name', 7),
        (1, 'step', 1),
        (1, '_get_value', None),
    ],
)
def test_a_state_of_another_kind_is_named(number, name, value):
    states = [scheduler.state_dict() for scheduler in schedulers(epochs=4)]
    states[number][name] = value
    with pytest.raises(InputError) as error:
        check_schedulers(states, 'x.pth', schedulers())
    text = str(error.value)
    assert text.startswith(f'x.pth: not a checkpoint of this config: param_schedulers[{number}]')
    assert f'.{name}.' in text and f'found:    {value!r}' in text
