"""Prediction: images per second and peak memory, beside torchvision's own detector.

python benchmarks/inference.py                                 # torchvision, frcnn_fp32, frcnn_tiny
python benchmarks/inference.py --images svhn/train --ann svhn/train.json

Forward pass, non-maximum suppression and scaling of the boxes, on images that are decoded already.
Each contender has a process of its own and they take turns. The default takes about 2 minutes on
two CPU cores.
"""

from functools import partial

from train_step import main

from mmdet_digits.cli import run_tool

if __name__ == '__main__':
    run_tool(partial(main, training=False, description=__doc__))
