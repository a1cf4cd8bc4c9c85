"""Checkpoints that are damaged, of another model, or made to run code."""

import pickle

import torch
from case import case, cut, make_folder, remove, write
from mmengine.logging import HistoryBuffer
from sound import PREDICT, TEST, TRAIN, WEIGHTS

FILE, OTHER, OUT = 'weights.pth', 'torchvision.pth', 'converted.pth'
RESUME = f'{TRAIN} --resume {FILE}'


class Hostile:
    """Unpickled, it writes a file."""

    def __reduce__(self):
        return exec, ("open('ran_code', 'w')",)


def resaved(change):
    """Change the content of the checkpoint."""

    def breaks(folder):
        checkpoint = torch.load(folder / FILE, weights_only=False)
        torch.save(change(checkpoint) or checkpoint, folder / FILE)

    return breaks


def with_classes(checkpoint):
    checkpoint['meta']['dataset_meta'] = {'classes': ('cat', 'dog')}


def without_optimizer(checkpoint):
    del checkpoint['optimizer']


def with_scheduler(**state):
    """Change the state of the first scheduler."""
    return resaved(lambda checkpoint: checkpoint['param_schedulers'][0].update(state))


def without_scheduler_states(checkpoint):
    checkpoint['param_schedulers'] = [1, 2]


def of_another_model(checkpoint):
    weights = checkpoint['state_dict']
    checkpoint['state_dict'] = {f'body.{key}': value for key, value in weights.items()}


def with_other_shapes(checkpoint):
    weights = checkpoint['state_dict']
    weights['roi_head.bbox_head.fc_cls.weight'] = torch.zeros(12, 32)


def with_nan(checkpoint):
    checkpoint['state_dict']['roi_head.bbox_head.fc_cls.weight'][0] = float('nan')


def of_mmengine(checkpoint):
    """As MMEngine's own hook saves it, and earlier versions of this project did."""
    checkpoint['message_hub']['log_scalars']['train/loss'] = HistoryBuffer([1.0], [1])


def hostile(checkpoint):
    checkpoint['meta']['more'] = Hostile()


DAMAGED = [
    ('no checkpoint', remove(FILE)),
    ('a folder', make_folder(FILE)),
    ('an empty file', write(FILE)),
    ('a file cut off', cut(FILE)),
    ('a text file', write(FILE, 'weights')),
    ('a list', resaved(lambda _: [1, 2])),
    ('no weights', resaved(lambda _: {'meta': {}})),
    ('other names', resaved(of_another_model)),
    ('other shapes', resaved(with_other_shapes), 'fc_cls'),
    ('other classes', resaved(with_classes), 'cat, dog'),
    ('weights of NaN', resaved(with_nan), 'fc_cls'),
    ('code in it', resaved(hostile), '--trust-checkpoint'),
    ("MMEngine's objects in it", resaved(of_mmengine), 'HistoryBuffer', '--trust-checkpoint'),
    ('a pickle of code', write(FILE, pickle.dumps(Hostile())), 'nor a pickle of torch'),
]
CASES = [
    case(f'{name}: {what}', breaks, command, FILE, *says, leaves=leaves)
    for name, command, leaves in (
        ('test', TEST, 'runs'),
        ('predict', PREDICT, None),
        ('resume', RESUME, 'runs'),
    )
    for what, breaks, *says in DAMAGED
]
CASES += [
    case('resume: no optimizer', resaved(without_optimizer), RESUME, FILE, 'optimizer'),
    case('resume: no states', resaved(without_scheduler_states), RESUME, FILE, 'param_schedulers'),
    case(
        'resume: a state', with_scheduler(last_step='1'), RESUME, FILE, 'last_step', leaves='runs'
    ),
    case('resume: a method', with_scheduler(step=1), RESUME, FILE, '.step', leaves='runs'),
    case('convert: no file', remove(OTHER), WEIGHTS, OTHER),
    case('convert: cut off', cut(OTHER), WEIGHTS, OTHER),
    case('convert: code', write(OTHER, pickle.dumps(Hostile())), WEIGHTS, OTHER),
    case("convert: mmdet's weights", None, WEIGHTS.replace(OTHER, FILE), FILE),
    case('convert: another architecture', None, WEIGHTS.replace('_v2', ''), OTHER, '_v2'),
    case('convert: other classes', None, f'{WEIGHTS} --num-classes 3', OTHER, '--num-classes 10'),
    case('convert: -1 classes', None, f'{WEIGHTS} --num-classes -1', '--num-classes', '-1'),
    case('convert: output exists', write(OUT), WEIGHTS, OUT, '--overwrite'),
    case('convert: output is a folder', make_folder(OUT), f'{WEIGHTS} --overwrite', OUT),
]
