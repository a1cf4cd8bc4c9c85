"""Tensors that behave like those of Apple's mps in what it lacks, for machines without it."""

import torch


class MpsTensor(torch.Tensor):
    """A tensor that can be float64 only after ``cpu()``, and that NumPy cannot read before."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        name = getattr(func, '__name__', '')
        if name == 'cpu':
            return args[0].as_subclass(torch.Tensor)
        if name == 'numpy':
            raise TypeError("can't convert mps:0 device type tensor to numpy")
        result = super().__torch_function__(func, types, args, kwargs or {})
        if isinstance(result, cls) and result.dtype is torch.float64:
            raise TypeError(
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't"
            )
        return result


def on_mps(values):
    """What mmdet returns, with its tensors as on mps: a tensor, boxes or instances."""
    if isinstance(values, torch.Tensor):
        return values.as_subclass(MpsTensor)
    if hasattr(values, 'tensor'):
        return type(values)(on_mps(values.tensor), clone=False)
    return type(values)(**{key: on_mps(value) for key, value in values.items()})
