"""A trained detector as one ONNX graph."""

import io
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config
from torch import nn

from mmdet_digits.assembly.crops import CropRules
from mmdet_digits.canvas import FILLING
from mmdet_digits.deploy.onnx_graph import INPUTS, OUTPUTS
from mmdet_digits.errors import InputError
from mmdet_digits.evaluation.assembly_files import assembly_of
from mmdet_digits.files import write_file
from mmdet_digits.models.exportable_detector import ExportableDetector

if TYPE_CHECKING:
    from onnx import GraphProto


def export_onnx(
    model: nn.Module,
    path: Path | str,
    opset: int = 17,
    properties: Mapping[str, str] | None = None,
    half: bool = False,
) -> None:
    """Write a detector as one ONNX graph, from pixels to the boxes that are left after NMS.

    Inputs and outputs are those of :class:`ExportableDetector.forward`; batch, height and width
    are free.

    Args:
        model: a two-stage detector in eval mode, on the CPU.
        path: the file to write.
        opset: version of ONNX's operators, 16 to 20.
        properties: texts to keep in the file.
        half: store the weights in float16, in half the space; it still computes in float32.

    Raises:
        InputError: the model has a part that cannot be exported.
    """
    import onnx

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
    if half:
        store_in_half(graph.graph)
    onnx.helper.set_model_props(graph, dict(properties or {}))
    onnx.checker.check_model(graph)
    write_file(path, graph.SerializeToString())


def store_in_half(graph: 'GraphProto', least: int = 1024) -> None:
    """Store the weights of a graph in float16, and cast them to float32 where it begins.

    Args:
        graph: changed in place.
        least: arrays with fewer values stay as they are.
    """
    import onnx

    casts = []
    for weight in graph.initializer:
        array = onnx.numpy_helper.to_array(weight)
        if array.dtype != np.float32 or array.size < least:
            continue
        name, stored = weight.name, f'{weight.name}_float16'
        weight.CopyFrom(onnx.numpy_helper.from_array(array.astype(np.float16), stored))
        float32 = onnx.TensorProto.FLOAT
        casts.append(onnx.helper.make_node('Cast', [stored], [name], to=float32))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def settings_of(cfg: Config) -> dict[str, Any]:
    """How a config reads images, for what runs its export without it.

    Args:
        cfg: the config.

    Returns:
        ``canvas`` (width, height) and ``filling`` (BGR), absent where the test pipeline has no
        ``CanvasResize``; ``read_again``, options of ``CropRules`` or None; ``assembly``, the fields
        of the ``NumberAssembly``.

    Raises:
        InputError: it reads again at several sizes and fuses what it finds.
    """
    settings = dict(assembly=asdict(assembly_of(cfg)), read_again=None)
    for step in get_test_pipeline_cfg(cfg):
        if step['type'] == 'CanvasResize':
            settings |= dict(canvas=step['scale'], filling=step.get('pad_val', FILLING))
    options = dict(cfg.model.test_cfg.get('read_again') or {})
    if options:
        shares = options.pop('shares', (CropRules.share,))
        if len(shares) > 1:
            raise InputError(
                'What is fused of several readings cannot be exported.',
                f'model.test_cfg.read_again.shares={tuple(shares)}',
                'one share',
                f'--cfg-options model.test_cfg.read_again.shares=({shares[0]},)',
            )
        settings['read_again'] = dict(options, share=shares[0])
    return settings


def example_inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """Two images of noise, of different sizes, to trace a detector with."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 64, 128), generator=generator, dtype=torch.uint8)
    return images, torch.tensor([[64, 128], [60, 100]])
