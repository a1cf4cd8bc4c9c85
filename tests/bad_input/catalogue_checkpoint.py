"""Checkpoints that are damaged, of another model, or made to run code."""

import pickle

import torch
from case import case, cut, make_folder, remove, write
from sound import PREDICT, TEST, TRAIN, WEIGHTS

WEIGHTS_FILE = 'weights.pth'
RESUME = f'{TRAIN} --resume {WEIGHTS_FILE}'


class Hostile:
    """Unpickled, it writes a file."""

    def __reduce__(self):
        return exec, ("open('ran_code', 'w')",)


def resaved(change):
    """Change the content of the checkpoint."""

    def breaks(folder):
        checkpoint = torch.load(folder / WEIGHTS_FILE, weights_only=False)
        torch.save(change(checkpoint) or checkpoint, folder / WEIGHTS_FILE)

    return breaks


def with_classes(checkpoint):
    checkpoint['meta']['dataset_meta'] = {'classes': ('cat', 'dog')}


def without_optimizer(checkpoint):
    del checkpoint['optimizer']


def of_another_model(checkpoint):
    weights = checkpoint['state_dict']
    checkpoint['state_dict'] = {f'module.{key}': value for key, value in weights.items()}


def with_other_shapes(checkpoint):
    weights = checkpoint['state_dict']
    weights['roi_head.bbox_head.fc_cls.weight'] = torch.zeros(12, 32)


def with_nan(checkpoint):
    checkpoint['state_dict']['roi_head.bbox_head.fc_cls.weight'][0] = float('nan')


def hostile(checkpoint):
    checkpoint['meta']['more'] = Hostile()


CASES = []
for name, command in (('test', TEST), ('predict', PREDICT), ('resume', RESUME)):
    CASES += [
        case(f'{name}: no checkpoint', remove(WEIGHTS_FILE), command, WEIGHTS_FILE),
        case(f'{name}: a folder', make_folder(WEIGHTS_FILE), command, WEIGHTS_FILE),
        case(f'{name}: an empty file', write(WEIGHTS_FILE), command, WEIGHTS_FILE),
        case(f'{name}: a file cut off', cut(WEIGHTS_FILE), command, WEIGHTS_FILE),
        case(f'{name}: a text file', write(WEIGHTS_FILE, 'weights'), command, WEIGHTS_FILE),
        case(f'{name}: a list', resaved(lambda _: [1, 2]), command, WEIGHTS_FILE),
        case(f'{name}: no weights', resaved(lambda _: {'meta': {}}), command, WEIGHTS_FILE),
        case(f'{name}: other names', resaved(of_another_model), command, WEIGHTS_FILE),
        case(f'{name}: other shapes', resaved(with_other_shapes), command, WEIGHTS_FILE, 'fc_cls'),
        case(f'{name}: other classes', resaved(with_classes), command, WEIGHTS_FILE, 'cat, dog'),
        case(f'{name}: weights of NaN', resaved(with_nan), command, WEIGHTS_FILE, 'fc_cls'),
        case(f'{name}: code in it', resaved(hostile), command, WEIGHTS_FILE, '--trust-checkpoint'),
        case(f'{name}: a pickle of code', write(WEIGHTS_FILE, pickle.dumps(Hostile())), command, WEIGHTS_FILE),
    ]
CASES += [
    case('resume: no optimizer', resaved(without_optimizer), RESUME, WEIGHTS_FILE, 'optimizer'),
    case('convert: no file', remove('torchvision.pth'), WEIGHTS, 'torchvision.pth'),
    case('convert: cut off', cut('torchvision.pth'), WEIGHTS, 'torchvision.pth'),
    case('convert: code', write('torchvision.pth', pickle.dumps(Hostile())), WEIGHTS, 'torchvision.pth'),
    case("convert: mmdet's weights", None, WEIGHTS.replace('torchvision.pth', WEIGHTS_FILE), WEIGHTS_FILE),
    case('convert: another architecture', None, WEIGHTS.replace('_v2', ''), 'torchvision.pth', '_v2'),
    case('convert: other classes', None, f'{WEIGHTS} --num-classes 3', 'torchvision.pth', '--num-classes 10'),
    case('convert: output exists', write('converted.pth'), WEIGHTS, 'converted.pth', '--overwrite'),
    case('convert: output is a folder', make_folder('converted.pth'), f'{WEIGHTS} --overwrite', 'converted.pth'),
]
