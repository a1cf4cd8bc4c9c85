# As digits_192x96.py, a third larger: the median digit is 73 px high.
_base_ = './digits_detection.py'

scale = (256, 128)
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
