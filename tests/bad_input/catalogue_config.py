"""Configs that are wrong, as files and by ``--cfg-options``."""

from case import add_text, case, every, make_folder, write
from sound import PREDICT, TEST, TRAIN

CONFIG = 'config.py'


def line(text):
    return add_text(CONFIG, f'{text}\n')


def option(*options):
    return ' '.join((TRAIN, '--cfg-options', *options))


CASES = [
    # the file
    case(
        'no config', None, TRAIN.replace(CONFIG, 'configs/digits/frcnn_tinny.py'), 'frcnn_tiny.py'
    ),
    case('a folder', make_folder(CONFIG), TRAIN, CONFIG),
    case('an empty config', write(CONFIG), TRAIN, CONFIG, 'model'),
    case('a config cut off', add_text(CONFIG, 'model = dict('), TRAIN, CONFIG, 'line'),
    case('no Python', add_text(CONFIG, 'batch size = 8\n'), TRAIN, CONFIG, 'batch size = 8'),
    case('a name that is not defined', line('x = undefined_name'), TRAIN, CONFIG, 'undefined_name'),
    case(
        'a module that is not there',
        line('import nothing_of_the_kind'),
        TRAIN,
        'nothing_of_the_kind',
    ),
    case(
        'a JSON file',
        write('config.json', '{"a": 1}'),
        TRAIN.replace(CONFIG, 'config.json'),
        'config.json',
        'model',
    ),
    case(
        'a broken JSON file',
        write('config.json', '{'),
        TRAIN.replace(CONFIG, 'config.json'),
        'config.json',
    ),
    case(
        'a config named .txt',
        write('config.txt', 'a = 1'),
        TRAIN.replace(CONFIG, 'config.txt'),
        'config.txt',
        '.py',
    ),
    case('an image as config', None, TRAIN.replace(CONFIG, 'photos/1.png'), 'photos/1.png', '.py'),
    case('no such base', write(CONFIG, "_base_ = 'other.py'\n"), TRAIN, 'other.py'),
    case(
        'no such base in mmdet',
        write(CONFIG, "_base_ = 'mmdet::nothing.py'\n"),
        TRAIN,
        'nothing.py',
    ),
    case('a base of itself', write(CONFIG, "_base_ = 'config.py'\n"), TRAIN, CONFIG),
    case(
        'two bases of each other',
        every(write(CONFIG, "_base_ = 'b.py'\n"), write('b.py', "_base_ = 'config.py'\n")),
        TRAIN,
        'b.py',
    ),
    case(
        'predict: no Python',
        add_text(CONFIG, 'batch size = 8\n'),
        PREDICT,
        CONFIG,
        'batch size = 8',
    ),
    # keys and types
    case('a misspelt key', line("load_form = 'x.pth'"), TRAIN, 'load_form', 'load_from'),
    case('no model', line('del model\n_base_.pop("model")'), TRAIN, 'model'),
    case(
        'a misspelt model',
        line("model = dict(type='FasterRCCN')"),
        TRAIN,
        'FasterRCCN',
        'FasterRCNN',
    ),
    case(
        'a misspelt hook',
        line("custom_hooks = [dict(type='RunEstimatHook')]"),
        TRAIN,
        'RunEstimatHook',
    ),
    case(
        'a misspelt metric', line("val_evaluator = dict(type='CocoMetrics')"), TRAIN, 'CocoMetrics'
    ),
    case(
        'a misspelt optimizer', None, option('optim_wrapper.optimizer.type=AdmW'), 'AdmW', 'AdamW'
    ),
    case(
        'a misspelt argument',
        line('model = dict(rpn_heads=dict())'),
        TRAIN,
        'rpn_heads',
        'rpn_head',
    ),
    case(
        'a misspelt argument of the data set',
        line("train_dataloader = dict(dataset=dict(anns='x'))"),
        TRAIN,
        'anns',
    ),
    case(
        'a backend whose package is missing',
        line("visualizer = dict(vis_backends=[dict(type='AimVisBackend')])"),
        TRAIN,
        'pip install aim',
    ),
    case(
        'a transform whose package is missing',
        line("train_dataloader = dict(dataset=dict(pipeline=[dict(type='Albu', transforms=[])]))"),
        TRAIN,
        'pip install albumentations',
    ),
    case(
        'a backend named twice',
        line("visualizer = dict(vis_backends=[dict(type='LocalVisBackend')] * 2)"),
        TRAIN,
        CONFIG,
        'LocalVisBackend',
        leaves='runs',
    ),
    # values
    case(
        'a batch size in words',
        line("train_dataloader = dict(batch_size='eight')"),
        TRAIN,
        'batch_size',
        'eight',
    ),
    case('a batch size of 0', None, option('train_dataloader.batch_size=0'), 'batch_size', '0'),
    case('negative workers', None, option('train_dataloader.num_workers=-1'), 'num_workers', '-1'),
    case(
        'one number as scale',
        None,
        option('train_dataloader.dataset.pipeline.2.scale=320'),
        'scale',
        '320',
    ),
    case(
        'eleven classes',
        None,
        option('model.roi_head.bbox_head.num_classes=11'),
        'num_classes',
        '11',
        '10',
    ),
    case(
        'a best score that no metric makes',
        None,
        option('default_hooks.checkpoint.save_best=coco/bbox_map'),
        'coco/bbox_map',
        'coco/bbox_mAP',
        leaves='runs',
    ),
    case('a score above 1', None, option('model.test_cfg.rcnn.score_thr=inf'), 'score_thr', 'inf'),
    case(
        'test: a score above 1',
        None,
        f'{TEST} --cfg-options model.test_cfg.rcnn.score_thr=inf',
        'score_thr',
    ),
    case(
        'nothing to divide by',
        None,
        option('model.data_preprocessor.std=[0,0,0]'),
        'data_preprocessor.std',
        '[0, 0, 0]',
    ),
    case('a warm-up that ends first', None, option('param_scheduler.0.end=0'), 'param_scheduler.0'),
    case(
        'no iterations to a step',
        None,
        option('+optim_wrapper.accumulative_counts=0'),
        'accumulative_counts',
    ),
    case('no epochs', None, option('train_cfg.max_epochs=0'), 'max_epochs', '0'),
    case('negative epochs', None, option('train_cfg.max_epochs=-1'), 'max_epochs', '-1'),
    case('epochs in words', None, option('train_cfg.max_epochs=many'), 'max_epochs', 'many'),
    case('a negative learning rate', None, option('optim_wrapper.optimizer.lr=-1'), 'lr', '-1'),
    case(
        'a learning rate in words', None, option('optim_wrapper.optimizer.lr=small'), 'lr', 'small'
    ),
    case('a learning rate of NaN', None, option('optim_wrapper.optimizer.lr=nan'), 'lr', 'nan'),
    case(
        'a depth that ResNet has not',
        None,
        option('model.backbone.depth=19'),
        CONFIG,
        '19',
        leaves='runs',
    ),
    case(
        'pretrained weights that are not there',
        None,
        option('load_from=nothing.pth'),
        'nothing.pth',
    ),
    # options
    case('an option without =', None, option('train_cfg.max_epochs'), 'train_cfg.max_epochs', '='),
    case(
        'an option that does not exist',
        None,
        option('optim_wrapper.optimizer.lrr=1'),
        'lrr',
        'optimizer.lr',
    ),
    case('an option that changes nothing', None, option('max_epochs=1'), 'train_cfg.max_epochs=1'),
    case('an index that does not exist', None, option('val_evaluator.7.type=X'), 'val_evaluator.7'),
    case(
        'test: an option that does not exist', None, f'{TEST} --cfg-options modle.type=X', 'modle'
    ),
]
