"""RoIAlign as two matrix products, for feature maps of a few thousand cells on a CPU.

Bilinear interpolation is separable: a cell of the pooled grid is a weighted mean of rows of a
weighted mean of columns. With the weights of each region as two small matrices, pooling and its
gradient are dense products, which a CPU computes at full speed on all cores. torchvision's kernel
gathers and, in the gradient, scatters one value after another on one core; its cost does not depend
on the size of the map, while that of the products does.
"""

import torch
from torch import Tensor


def separable_roi_align(
    features: Tensor,
    rois: Tensor,
    output_size: tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    aligned: bool = True,
) -> Tensor:
    """Pool each region of interest to a fixed grid (RoIAlign, He et al., ICCV 2017).

    Equals :func:`torchvision.ops.roi_align` up to the order in which floating point numbers are
    added. The gradient is that for ``features``; the regions get none, as there.

    Args:
        features: (B, C, H, W) feature map.
        rois: (K, 5), the index of the image in the batch, then xyxy in pixels of the image.
        output_size: Rows and columns of the grid.
        spatial_scale: Cells of the map per pixel of the image.
        sampling_ratio: Samples per grid cell and axis; 0 takes as many as it has map cells, rounded
            up.
        aligned: Shift by half a cell, so that the centre of cell k has the coordinate k + 0.5.

    Returns:
        (K, C, rows, columns), in the dtype of ``features``.
    """
    with torch.autocast(features.device.type, enabled=False):  # as torchvision's kernel
        return _pool(features, rois, output_size, spatial_scale, sampling_ratio, aligned)


def _pool(features, rois, output_size, spatial_scale, sampling_ratio, aligned) -> Tensor:
    (rows, columns), (channels, height, width) = output_size, features.shape[1:]
    left, top, right, bottom = (rois[:, 1:].detach() * spatial_scale - 0.5 * aligned).unbind(1)
    across = sample_weights(left, right - left, columns, width, sampling_ratio, aligned)
    down = sample_weights(top, bottom - top, rows, height, sampling_ratio, aligned)
    across, down = across.to(features.dtype), down.to(features.dtype)

    maps = features.permute(0, 2, 3, 1).unbind()  # (H, W, C): dense where channels lie innermost
    none = maps[0].flatten(0, 1)[:0, None, None].expand(0, rows, columns, channels)
    pooled, places = [none], [rois.new_zeros(0).long()]
    for image, feature_map in enumerate(maps):
        place = torch.nonzero(rois[:, 0] == image).squeeze(1)
        count = len(place)
        if count:
            narrow = across[place].flatten(0, 1) @ feature_map  # (H, count * columns, C)
            narrow = narrow.reshape(height, count, columns * channels).transpose(0, 1)
            pooled.append((down[place] @ narrow).reshape(count, rows, columns, channels))
            places.append(place)
    back = torch.cat(places).argsort()  # regions need not be in the order of their images
    return torch.cat(pooled)[back].permute(0, 3, 1, 2)


def sample_weights(
    start: Tensor, length: Tensor, cells: int, size: int, sampling_ratio: int, aligned: bool
) -> Tensor:
    """The weight of each row, or column, of the map in each cell of the grids.

    Args:
        start: (K,) where the regions begin on this axis, in map cells.
        length: (K,) how far they reach.
        cells: Grid cells on this axis.
        size: Map cells on this axis.
        sampling_ratio: As in :func:`separable_roi_align`.
        aligned: Likewise; without it a region is at least one map cell long.

    Returns:
        (K, cells, size). Each row sums to 1, or to less where samples lie more than a cell outside;
        without a sample, as in a region without area, to 0.
    """
    if not aligned:
        length = length.clamp(min=1)
    step = length / cells
    count = step.ceil() if sampling_ratio < 1 else torch.full_like(step, sampling_ratio)
    grid = torch.arange(size, device=start.device)
    cell = torch.arange(cells, device=start.device)[:, None]  # (cells, 1)
    start, step, count = (value[:, None, None] for value in (start, step, count))
    weights = start.new_zeros(len(start), cells, size)
    for sample in range(int(count.max()) if len(count) else 0):
        within = (sample + 0.5) * step / count.clamp(min=1)  # rounds as the kernel does
        at = start + cell * step + within  # (K, cells, 1)
        counts = (at >= -1) & (at <= size) & (sample < count)
        weights += (1 - (at.clamp(0, size - 1) - grid).abs()).clamp(min=0) * counts
    return weights / count.clamp(min=1)
