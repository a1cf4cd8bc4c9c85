"""Trainings that cannot be drawn or compared."""

from case import case, cut, make_folder, remove, write
from sound import COMPARE, EXPORT, PLOT

ONNX = 'export_onnx.py config.py weights.pth'


CASES = [
    case('plot: no such run', remove('earlier'), PLOT, 'earlier', 'nothing'),
    case('plot: an empty folder', make_folder('earlier'), PLOT, 'earlier'),
    case('plot: a file', write('earlier'), PLOT, 'earlier'),
    case('plot: a name too few', None, f'{PLOT} data --names one', '--names'),
    case('plot: no such format', None, f'{PLOT} -o curves.doc', 'curves.doc', '.png'),
    case('plot: output exists', write('curves.png'), PLOT, 'curves.png', '--overwrite'),
    case(
        'plot: output is a folder', make_folder('curves.png'), f'{PLOT} --overwrite', 'curves.png'
    ),
    case('compare: no such run', None, f'{COMPARE} --overwrite nowhere', 'nowhere'),
    case('compare: output exists', write('compared.json'), COMPARE, 'compared.json', '--overwrite'),
    case('export: no checkpoint', remove('weights.pth'), EXPORT, 'weights.pth'),
    case('export: cut off', cut('weights.pth'), EXPORT, 'weights.pth'),
    case('export: output exists', write('out.safetensors'), EXPORT, 'out.safetensors'),
    case('export: another ending', None, f'{EXPORT}.txt', 'out.safetensors.txt', '.safetensors'),
    case('export: nothing left', None, f"{EXPORT} --drop '.'", 'weights.pth'),
    case('onnx: another ending', None, f'{ONNX} out.txt', 'out.txt', '.onnx'),
    case('onnx: output exists', write('out.onnx'), f'{ONNX} out.onnx', 'out.onnx', '--overwrite'),
    case('onnx: no checkpoint', remove('weights.pth'), f'{ONNX} out.onnx', 'weights.pth'),
    case('check_data: no such folder', None, 'check_data.py --data-root nowhere', 'nowhere'),
    case('check_data: half a split', None, 'check_data.py data/train.json', 'IMAGES'),
    case(
        'check_data: a copy onto itself', None, 'check_data.py --data-root data --fix data', 'data'
    ),
]
