# Digit images in COCO format, laid out as HW2 is: train.json, valid.json, test.json beside the
# folders train/, valid/, test/. DIGITS_DATA_ROOT, or --data-root, says where.
import os

data_root = os.environ.get('DIGITS_DATA_ROOT', 'data/digits')

# Street numbers are small crops (median 104 x 47 px, digits 29 px high): mmdet's 1333 x 800 would
# blow them up 13 times. At 320 x 160 the median digit is 90 x 41 px, 4 % of the images lose pixels
# and 96.5 % of SVHN's boxes have an anchor with IoU >= 0.5 (1333 x 800: 98.1 %, for 18 times the
# pixels; 192 x 96: 88 %). All get this canvas, so that an image is read alike in any batch.
scale = (320, 160)

load_image = dict(type='LoadImageFromFile')
load_boxes = dict(type='LoadAnnotations', with_bbox=True)
pack = dict(type='PackDetInputs')
tested_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'original')
pack_for_test = dict(type='PackDetInputs', meta_keys=tested_keys)
# No flip: a mirrored digit is no digit. Boxes are measured in pixels of the image as it is.
train_pipeline = [load_image, load_boxes, dict(type='CanvasResize', scale=scale), pack]
test_pipeline = [load_image, dict(type='CanvasResize', scale=scale), load_boxes, pack_for_test]

loader = dict(batch_size=16, num_workers=2, persistent_workers=True)
train_dataset = dict(
    type='DigitsDataset',
    data_root=data_root,
    ann_file='train.json',
    data_prefix=dict(img='train/'),
    filter_cfg=dict(filter_empty_gt=True, min_size=0),  # mmdet's 32 px drops 22 % of SVHN
    on_broken='stop',  # or 'skip': each broken image is logged once, and the next stands in
    max_broken_share=0.01,
    pipeline=train_pipeline,
)
held_out = dict(type='DigitsDataset', data_root=data_root, test_mode=True, pipeline=test_pipeline)
valid_dataset = dict(ann_file='valid.json', data_prefix=dict(img='valid/'), **held_out)
test_dataset = dict(ann_file='test.json', data_prefix=dict(img='test/'), **held_out)

shuffled, in_order = (dict(type='DefaultSampler', shuffle=shuffle) for shuffle in (True, False))
train_dataloader = dict(**loader, sampler=shuffled, dataset=train_dataset)
val_dataloader = dict(**loader, sampler=in_order, dataset=valid_dataset)
test_dataloader = dict(**loader, sampler=in_order, dataset=test_dataset)

coco_on_valid = dict(type='DigitsCocoMetric', ann_file=f'{data_root}/valid.json', classwise=True)
coco_on_test = dict(type='DigitsCocoMetric', ann_file=f'{data_root}/test.json', classwise=True)
val_evaluator = [coco_on_valid, dict(type='NumberMetric')]
test_evaluator = [coco_on_test, dict(type='NumberMetric')]
