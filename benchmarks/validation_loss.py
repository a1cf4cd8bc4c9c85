"""What the validation loss costs on top of the predictions.

python benchmarks/validation_loss.py configs/digits/frcnn_tiny.py --checkpoint work_dirs/.../x.pth

Times four ways to validate the same batches: predictions alone; predictions and losses from one
pass (``ValLossLoop``), with the same proposals or with proposals of their own for the losses; and
predictions and losses from a pass each, as the published systems did.
Without a GPU the times are those of the processor, so that other programs matter little. Random
weights leave other proposals than trained ones, so give a checkpoint where there is one.
"""

import statistics
import time

import torch
from common import describe_machine, print_table, spread, time_in_turn
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, load_checkpoint

import mmdet_digits.register  # noqa: F401
from mmdet_digits.cli import config_parser, load_config, run_tool
from mmdet_digits.engine.shared_forward import predict_with_loss, scale_ground_truth


def main():
    """Print the table of one config."""
    parser = config_parser(__doc__.splitlines()[0])
    parser.add_argument('--checkpoint', help='trained weights (default: random ones)')
    parser.add_argument('--batches', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()
    cfg = load_config(args, splits=('val',))
    model, batches = prepare(cfg, args.checkpoint, args.batches)
    ways = {
        'predictions': model.val_step,
        'both, one pass': lambda batch: predict_with_loss(model, batch),
        '.. own proposals': lambda batch: predict_with_loss(model, batch, share_proposals=False),
        'both, two passes': lambda batch: two_passes(model, batch),
    }
    with torch.no_grad():
        seconds = time_in_turn(
            {name: lambda way=way: [way(batch) for batch in batches] for name, way in ways.items()},
            args.repeats,
            time.perf_counter if torch.cuda.is_available() else time.process_time,
        )
    report(args, seconds, sum(len(batch['inputs']) for batch in batches))


def prepare(cfg, checkpoint: str | None, num_batches: int):
    """Return the model in eval mode and the first batches of the validation set."""
    init_default_scope('mmdet')
    torch.manual_seed(0)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    model.init_weights()
    if checkpoint:
        load_checkpoint(model, checkpoint, map_location='cpu')
    loader = Runner.build_dataloader({**cfg.val_dataloader, 'persistent_workers': False})
    batches = [batch for _, batch in zip(range(num_batches), loader, strict=False)]
    return model.to('cuda' if torch.cuda.is_available() else 'cpu').eval(), batches


def two_passes(model, batch: dict):
    """Predict, then compute the losses from the images again."""
    model.val_step(batch)
    data = model.data_preprocessor(batch, False)
    targets = [scale_ground_truth(sample) for sample in data['data_samples']]
    return model.loss(data['inputs'], targets)


def report(args, seconds: dict[str, list[float]], images: int):
    """Print the time per image of each way, and its ratio to predictions alone."""
    weights = args.checkpoint or 'random weights'
    print(
        f'{describe_machine()}\n{args.config}, {weights}, {images} images, {args.repeats} repeats\n'
    )
    plain = statistics.median(seconds['predictions'])
    rows = [
        [
            name,
            spread([1e3 * value / images for value in values]),
            f'{statistics.median(values) / plain:.2f}',
        ]
        for name, values in seconds.items()
    ]
    print_table(['validation', 'ms per image', 'times the predictions'], rows)


if __name__ == '__main__':
    run_tool(main)
