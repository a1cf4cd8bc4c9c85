"""Write a detector as one ONNX graph: python tools/export_onnx.py CONFIG CHECKPOINT OUT.onnx.

Inputs:  images       (B, 3, H, W) uint8, BGR, not normalised: the graph does that. Scaled as the
                      config's test pipeline does it, each image in the top left corner.
         sizes        (B, 2) int64: height and width of each image.
Outputs: bboxes       (D, 4) float32: x1, y1, x2, y2 in pixels of the input.
         labels       (D,) int64: the digit.
         scores       (D,) float32.
         image_index  (D,) int64: which image of the batch. Sorted by it and by falling score.
"""

import argparse
import time
from pathlib import Path

from mmdet_digits.cli import add_config_options, add_trust_option, run_tool
from mmdet_digits.coco.categories import DIGITS
from mmdet_digits.deploy.image_list import find_images
from mmdet_digits.errors import InputError
from mmdet_digits.extras import import_extra
from mmdet_digits.files import check_outputs

BATCH_SIZES = (1, 8)
OPSETS = range(16, 21)  # RoIAlign with aligned corners came with 16; torch's exporter ends at 20


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, e.g. configs/digits/frcnn_tiny.py')
    parser.add_argument('checkpoint', help='checkpoint file (.pth or .safetensors)')
    parser.add_argument('out', type=Path, help='the file to write (.onnx)')
    parser.add_argument('--opset', type=int, choices=OPSETS, default=17, help='default: 17')
    parser.add_argument(
        '--check',
        nargs='+',
        metavar='IMAGES',
        help='compare with PyTorch on these files, folders or quoted patterns; exit status 1 if a '
        'box or score differs by more than rounding',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace an earlier file')
    add_config_options(parser)
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    add_trust_option(parser)
    parser.set_defaults(data_root=None, work_dir=None, launcher='none', local_rank=0)
    args = parser.parse_args()
    if args.out.suffix != '.onnx':
        parser.error(f'{args.out}: expected a name that ends in .onnx')
    return args


def main():
    args = parse_args()
    import mmdet_digits.register  # noqa: F401  (operators before mmdet)

    # isort: split
    from mmdet_digits.deploy.onnx_export import export_onnx
    from mmdet_digits.deploy.predictor import load_detector
    from mmdet_digits.launching import find_checkpoint, load_config

    inputs = [args.config, args.checkpoint]
    check_outputs([args.out], args.overwrite, inputs=inputs)
    images = find_images(args.check) if args.check else []
    if images:
        import_extra('onnxruntime', 'onnx')
    cfg = load_config(args, splits=())
    model = load_detector(cfg, find_checkpoint(args.checkpoint), 'cpu')
    started = time.perf_counter()
    export_onnx(model, args.out, args.opset, properties(args.config, cfg))
    seconds, size = time.perf_counter() - started, args.out.stat().st_size
    print(f'written to {args.out}: {size / 1e6:.1f} MB, opset {args.opset}, in {seconds:.1f} s')
    if images:
        check(args.out, model, cfg, images)


def properties(config, cfg):
    resize = next(step for step in cfg.test_dataloader.dataset.pipeline if 'scale' in step)
    return dict(classes=','.join(DIGITS), config=str(config), resize=str(dict(resize)))


def check(path, model, cfg, images):
    from mmdet_digits.deploy.onnx_detector import OnnxDetector
    from mmdet_digits.deploy.onnx_parity import TOLERANCE, measure_parity, packed_batches

    detector = OnnxDetector(path)
    for batch_size in BATCH_SIZES:
        parity = measure_parity(model, detector, packed_batches(images, cfg, batch_size))
        print(f'batches of {batch_size}: {parity}')
        if not parity.holds:
            raise InputError(
                f'{path}: does not find what the checkpoint finds.',
                str(parity),
                f'differences of at most {TOLERANCE}, nothing unpaired',
                'look at --check with fewer images to find which; boxes at the very edge of a '
                'threshold may fall to either side',
            )


if __name__ == '__main__':
    run_tool(main)
