"""Where the time of a training step goes, and how often the GPU is waited for.

python benchmarks/profile_step.py frcnn_tiny
python benchmarks/profile_step.py frcnn_amp --trace step.json    # to open in chrome://tracing

Prints the ten operators that take most of the time themselves. With a GPU also: the share of the
time in which it computes, and how often a step waits for it.
"""

from pathlib import Path

from contenders import CUDA, Contender, work_of, work_parser
from detectors import prepare, take_step

# isort: split
from common import print_table
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from mmdet_digits.cli import run_tool

WAITS = ('cudaStreamSynchronize', 'cudaDeviceSynchronize', 'cudaEventSynchronize')
CLOCK_WAITS = 2  # per step, to take the time


def main():
    """Print the table of one config."""
    parser = work_parser(__doc__, repeats=3)
    parser.add_argument('config', help='name or path of a config, or torchvision')
    parser.add_argument('--trace', type=Path, help='write the trace to this .json file')
    args = parser.parse_args()
    with work_of(args, training=True) as work:
        prepare(Contender(args.config, args.config), work)
        take_step(0)
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if CUDA else [])]
        with profile(activities=activities) as profiler:
            seconds = sum(take_step(index)[0] for index in range(1, work.rounds))
    if args.trace:
        profiler.export_chrome_trace(str(args.trace))
    report(profiler.key_averages(), seconds, args.repeats)


def report(events: list, seconds: float, steps: int) -> None:
    """Print the ten operators, or on a GPU kernels, that take most, and what the GPU did."""
    device, clock = (
        (DeviceType.CUDA, 'self_device_time_total')
        if CUDA
        else (DeviceType.CPU, 'self_cpu_time_total')
    )
    taken = {
        (event.key, event.count): getattr(event, clock)  # microseconds
        for event in events
        if event.device_type == device and not event.is_user_annotation
    }
    total = sum(taken.values())
    rows = [
        [key[:80], f'{time / 1e3 / steps:.2f}', f'{100 * time / total:.1f}', f'{count / steps:.0f}']
        for (key, count), time in sorted(taken.items(), key=lambda item: -item[1])[:10]
    ]
    print_table(['operator', 'ms per step', '% of all', 'calls per step'], rows)
    print(f'\n{1e3 * seconds / steps:.1f} ms per step')
    if CUDA:
        waits = sum(event.count for event in events if event.key in WAITS) / steps - CLOCK_WAITS
        print(f'{total / 1e4 / seconds:.0f} % of it on the GPU, {waits:.0f} waits for it per step')


if __name__ == '__main__':
    run_tool(main)
