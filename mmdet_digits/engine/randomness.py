"""Random generators seeded anew for each sample and step, so that there is no state to save."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# The first number of a key: what the random numbers are for.
TRAINING_STEP, TRAINING_SAMPLE, VALIDATION_STEP = range(3)


def seed_from(*key: int) -> None:
    """Seed the generators of Python, NumPy and torch from a key.

    Keys that differ in one number give unrelated streams, and so do the three generators
    (``numpy.random.SeedSequence``).

    Args:
        *key: non-negative integers, the same number of them for each purpose.
    """
    words = np.random.SeedSequence(key).generate_state(8)
    random.seed(words[:2].tobytes())
    np.random.seed(words[2:6])
    seed = int(words[6:].view(np.uint64)[0])
    # torch.manual_seed also visits backends that nothing has used yet, at 30 times the cost
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


@contextmanager
def preserved_randomness() -> Iterator[None]:
    """Leave the generators of Python, NumPy and torch as they were, whatever is drawn inside."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
