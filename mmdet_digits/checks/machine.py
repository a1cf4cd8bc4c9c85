"""Whether the libraries compute what they should, on this machine.

Each check runs one small case whose result is known. What it needs is imported inside it.
"""

import contextlib
import shutil
import subprocess
import warnings
from collections.abc import Sequence

from mmdet_digits.checks.finding import Check, Status

REINSTALL = 'pip install --force-reinstall -r requirements.txt'


def compare(name: str, found: object, expected: object, ok: str) -> Check:
    """A check that a computed value is the known one.

    Args:
        name: what was computed.
        found: its result.
        expected: the result that is known to be right.
        ok: what to report where they agree.
    """
    if found == expected:
        return Check(name, Status.OK, ok)
    return Check(
        f'{name} computes wrong values.', Status.FAIL, str(found), str(expected), REINSTALL
    )


def check_operators() -> Check:
    """Say which library serves NMS and RoIAlign."""
    from mmdet_digits.ops import ensure_ops

    served = {
        'torchvision': "torchvision's kernels, mmcv has none compiled",
        'compiled': "mmcv's compiled operators",
    }
    return Check('NMS and RoIAlign', Status.OK, served[ensure_ops()])


def devices() -> list[str]:
    """The devices that torch computes on here."""
    import torch

    return ['cpu', 'cuda'] if torch.cuda.is_available() else ['cpu']


def check_nms() -> Check:
    """Suppress the worse of two boxes with an IoU of 9/11 at 0.5, and none at 0.9."""
    import mmdet_digits.register  # noqa: F401  (operators before mmcv.ops)

    # isort: split
    import torch
    from mmcv.ops import nms

    found = {}
    for device in devices():
        boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10]], device=device)
        scores = torch.tensor([0.6, 0.9], device=device)
        found[device] = [nms(boxes, scores, iou_thr)[1].tolist() for iou_thr in (0.5, 0.9)]
    expected = {device: [[1], [1, 0]] for device in found}
    return compare('NMS', found, expected, f'two boxes, as expected on {" and ".join(found)}')


def check_roi_align() -> Check:
    """Pool a ramp, whose value is the column, to the centres of four cells."""
    import mmdet_digits.register  # noqa: F401

    # isort: split
    import torch
    from mmcv.ops import roi_align

    found = {}
    for device in devices():
        ramp = torch.arange(8.0, device=device).expand(1, 1, 8, 8).contiguous()
        rois = torch.tensor([[0.0, 2, 2, 6, 6]], device=device)
        pooled = roi_align(ramp, rois, (2, 2), 1.0, 2, 'avg', True)
        found[device] = pooled.flatten().tolist()
    expected = {device: [2.5, 4.5, 2.5, 4.5] for device in found}
    return compare('RoIAlign', found, expected, f'a ramp, as expected on {" and ".join(found)}')


def check_coco_eval() -> Check:
    """Score one detection with an IoU of 2/3: right at four of COCO's ten thresholds."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    box = dict(image_id=1, category_id=1)
    with contextlib.redirect_stdout(None):  # pycocotools prints its progress
        truth = COCO()
        truth.dataset = dict(
            images=[dict(id=1, width=20, height=20)],
            categories=[dict(id=1, name='0')],
            annotations=[dict(box, id=1, bbox=[0, 0, 10, 10], area=100, iscrowd=0)],
        )
        truth.createIndex()
        detections = truth.loadRes([dict(box, bbox=[2, 0, 10, 10], score=0.9)])
        evaluation = COCOeval(truth, detections, 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    found = [round(float(value), 6) for value in evaluation.stats[:3]]
    return compare('COCOeval', found, [0.4, 1.0, 0.0], 'one detection, mAP 0.4 as expected')


def check_device() -> Check:
    """Say what torch computes on, and whether it leaves a GPU unused."""
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        available = torch.cuda.is_available()
    gpus = []
    for index in range(torch.cuda.device_count() if available else 0):
        gpu = torch.cuda.get_device_properties(index)
        gpus.append(f'{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB')
    said = ' '.join(str(warning.message).partition('\n')[0] for warning in caught)
    return describe_device(torch.version.cuda, gpus, nvidia_driver(), said, torch.get_num_threads())


def nvidia_driver() -> str:
    """What ``nvidia-smi`` says of the GPUs and their driver; empty where there is none."""
    if not shutil.which('nvidia-smi'):
        return ''
    query = ['nvidia-smi', '--query-gpu=name,driver_version', '--format=csv,noheader']
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    lines = done.stdout.strip().splitlines()
    return '; '.join(lines) if done.returncode == 0 else ''


def describe_device(
    cuda: str | None, gpus: Sequence[str], driver: str, said: str, threads: int
) -> Check:
    """Judge what torch computes on.

    Args:
        cuda: version of CUDA that torch was built with, None for a build without.
        gpus: name and memory of each GPU that torch can use.
        driver: what ``nvidia-smi`` says, empty where it finds nothing.
        said: what torch warned of when it was asked for GPUs.
        threads: number of threads that torch computes with on the CPU.
    """
    build = f'torch built for CUDA {cuda}' if cuda else 'torch built without CUDA'
    if gpus:
        return Check('Device', Status.OK, f'{"; ".join(gpus)} (nvidia-smi: {driver}; {build})')
    if not driver:
        return Check('Device', Status.OK, f'CPU, {threads} threads, no GPU ({build})')
    return Check(
        'There is a GPU, but torch cannot use it.',
        Status.WARN,
        f'nvidia-smi: {driver}; {build}' + (f'; torch: {said}' if said else ''),
        'a driver that supports the CUDA version that torch was built for',
        'update the driver'
        if cuda
        else 'install the build with CUDA: pip install --force-reinstall -r requirements.txt',
    )
