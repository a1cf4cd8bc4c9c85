# frcnn_tiny on scenes that are drawn while it trains: no image is seen twice. Validation reads
# data/digits as ever. Drawing takes about 6 ms of CPU time per image, in the data workers.
#   python tools/train.py configs/digits/frcnn_tiny_endless.py
_base_ = './frcnn_tiny.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SyntheticDigits',
        length=8000,  # images per epoch
        look='street',  # or 'clear'
        source=dict(),  # e.g. glyphs='mnist.npz', layouts='train.json', without=['blur', 'jpeg']
        pipeline=[_base_.load_boxes, _base_.resize, _base_.pack],
    ),
)
