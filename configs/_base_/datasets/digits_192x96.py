# The same data for machines without a GPU. At this scale the median digit is 54 x 25 px, and 17 %
# of the images lose pixels. Decoded once, a batch takes 3 ms to load: processes of their own for
# that would take more from a model that has two cores.
_base_ = './digits_detection.py'

scale = (192, 96)
resize = dict(type='CanvasResize', scale=scale)
train_pipeline = [_base_.load_image, _base_.load_boxes, resize, _base_.pack]
test_pipeline = [_base_.load_image, resize, _base_.load_boxes, _base_.pack_for_test]

train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
