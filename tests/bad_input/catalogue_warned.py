"""What a command goes on in spite of, having said so."""

import shutil

from case import case, cut, edit, every, remove, write
from catalogue_config import line, option
from catalogue_data_set import COCO, VALID, box
from catalogue_other_formats import XML
from sound import LINK, PREDICT, PSEUDO, TEST, TRAIN, VOC

without_boxes = edit(
    COCO, lambda c: c.update(annotations=[box for box in c['annotations'] if box['image_id'] > 1])
)
RESUME = TRAIN.replace('runs', 'earlier --resume')


def break_the_newest_checkpoint(folder):
    shutil.copy(folder / 'weights.pth', folder / 'earlier' / 'epoch_1.pth')
    write('earlier/epoch_2.pth', b'PK\x03\x04')(folder)
    write('earlier/last_checkpoint', 'earlier/epoch_2.pth')(folder)


CASES = [
    case('a box that crosses the edge', box(COCO, bbox=[9, 9, 900, 9]), TRAIN, COCO, '900'),
    case('corners instead of sizes', box(COCO, bbox=[9, 9, 60, 39]), TRAIN, COCO, '9 9 60 39'),
    case('a box marked as ignore', box(COCO, ignore=1), TRAIN, '1 boxes marked as ignore'),
    case('an image without boxes', without_boxes, TRAIN, '1 images that filter_cfg'),
    case('a key that nothing reads', line('remark = 1'), TRAIN, 'nothing reads: remark'),
    case('another batch size', None, option('train_dataloader.batch_size=4'), 'a batch of 4'),
    case(
        'a loader that keeps the workers it has not',
        None,
        option('train_dataloader.persistent_workers=True', '+val_dataloader.prefetch_factor=2'),
        'train_dataloader has no workers, so persistent_workers=False',
        'val_dataloader has no workers, so prefetch_factor=None',
    ),
    case('a newer checkpoint cut off', break_the_newest_checkpoint, RESUME, 'earlier/epoch_2.pth'),
    case(
        'test: no test.json', remove('data/test.json'), TEST, 'data/test.json', 'nothing to score'
    ),
    case('predict: one image cut off', cut('photos/1.png'), PREDICT, '1 files', 'photos/1.png'),
    case(
        'pseudo_label: one image cut off', cut('photos/1.png'), PSEUDO, 'unreadable image', '1.png'
    ),
    case(
        'link: an image that is not listed',
        every(write('data/train/extra.png', 'x'), remove(VALID), remove('data/valid')),
        f'{LINK} --valid 1',
        'extra.png',
    ),
    case('voc: wrong records left out', cut(XML), f'{VOC} --skip-bad', 'left out: 1', XML),
]
