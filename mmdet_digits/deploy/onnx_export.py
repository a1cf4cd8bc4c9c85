"""A trained detector as one ONNX graph."""

import io
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from mmdet_digits.extras import import_extra
from mmdet_digits.files import write_file
from mmdet_digits.models.exportable_detector import ExportableDetector

INPUTS = ('images', 'sizes')
OUTPUTS = ('bboxes', 'labels', 'scores', 'image_index')


def export_onnx(
    model: nn.Module, path: Path | str, opset: int = 17, properties: Mapping[str, str] | None = None
) -> None:
    """Write a detector as one ONNX graph, from pixels to the boxes that are left after NMS.

    Inputs and outputs are those of :class:`ExportableDetector.forward`; batch, height and width
    are free.

    Args:
        model: a two-stage detector in eval mode, on the CPU.
        path: the file to write.
        opset: version of ONNX's operators, 16 to 20.
        properties: texts to keep in the file.

    Raises:
        InputError: the model has a part that cannot be exported, or onnx is not installed.
    """
    onnx = import_extra('onnx', 'onnx')
    detections = {name: {0: 'detections'} for name in OUTPUTS}
    written = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of the trace, about shapes; the parity test covers them
        torch.onnx.export(
            ExportableDetector(model).eval(),
            example_inputs(),
            written,
            dynamo=False,
            opset_version=opset,
            input_names=INPUTS,
            output_names=OUTPUTS,
            dynamic_axes={
                'images': {0: 'batch', 2: 'height', 3: 'width'},
                'sizes': {0: 'batch'},
                **detections,
            },
        )
    graph = onnx.load_from_string(written.getvalue())
    onnx.helper.set_model_props(graph, dict(properties or {}))
    onnx.checker.check_model(graph)
    write_file(path, graph.SerializeToString())


def example_inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """Two images of noise, of different sizes, to trace a detector with."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 64, 128), generator=generator, dtype=torch.uint8)
    return images, torch.tensor([[64, 128], [60, 100]])
