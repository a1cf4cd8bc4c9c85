"""Deformable attention where mmcv asks its compiled module for it.

mmcv has it in plain PyTorch too, and takes that on a CPU and for bfloat16. For other dtypes on CUDA
it wants the compiled kernel: here it gets the plain one. Names and arguments are those of
``mmcv/ops/multi_scale_deform_attn.py``.
"""

import torch
from torch import Tensor


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Sum weighted samples of feature maps (deformable attention, Zhu et al., ICLR 2021).

    Half-precision inputs are widened to float32 first.

    Args:
        value (Tensor): The pixels of L feature maps one after the other, shape (B, K, heads, C).
        value_spatial_shapes (Tensor): Rows and columns of each map, shape (L, 2).
        value_level_start_index (Tensor): Unused: follows from the shapes.
        sampling_locations (Tensor): (x, y) of P points in each map, from 0 to 1, shape
            (B, Q, heads, L, P, 2). Outside of it a map is 0.
        attention_weights (Tensor): Shape (B, Q, heads, L, P).
        im2col_step (int): Unused: the images that mmcv's kernel takes at once.

    Returns:
        Tensor: Shape (B, Q, heads * C), of the dtype of ``value``.
    """
    # Not above: mmcv.ops can only be imported once this function stands in its place.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    dtype = torch.promote_types(value.dtype, torch.float32)
    output = multi_scale_deformable_attn_pytorch(
        value.to(dtype),
        value_spatial_shapes.tolist(),  # the GPU is asked for it once, not for each number
        sampling_locations.to(dtype),
        attention_weights.to(dtype),
    )
    return output.to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Write the gradients of :func:`ms_deform_attn_forward`, which is computed once more for them.

    Args:
        value (Tensor): As in the forward pass, like all the arguments that are not named here.
        value_spatial_shapes (Tensor): Shape (L, 2).
        value_level_start_index (Tensor): Unused.
        sampling_locations (Tensor): Shape (B, Q, heads, L, P, 2).
        attention_weights (Tensor): Shape (B, Q, heads, L, P).
        grad_output (Tensor): Shape (B, Q, heads * C).
        grad_value (Tensor): Shape of ``value``; is written.
        grad_sampling_loc (Tensor): Shape of ``sampling_locations``; is written.
        grad_attn_weight (Tensor): Shape of ``attention_weights``; is written.
        im2col_step (int): Unused.
    """
    inputs = [
        tensor.detach().requires_grad_()
        for tensor in (value, sampling_locations, attention_weights)
    ]
    value, *sampling = inputs
    with torch.enable_grad():
        output = ms_deform_attn_forward(
            value, value_spatial_shapes, value_level_start_index, *sampling, im2col_step
        )
    grads = torch.autograd.grad(output, inputs, grad_output)
    for target, grad in zip((grad_value, grad_sampling_loc, grad_attn_weight), grads, strict=True):
        target.copy_(grad)
