"""From a drawn scene to a photograph: tone, blur, noise, compression.

Images are (H, W, 3) float32 BGR with nominal range 0..255, and are returned anew.
"""

import cv2
import numpy as np

from mmdet_digits.synthetic.parameters import DEGRADATION, DegradationParameters


def adjust_tone(
    image: np.ndarray,
    rng: np.random.Generator,
    ink: float,
    ground: float,
    params: DegradationParameters = DEGRADATION,
) -> np.ndarray:
    """Give the image a drawn mean level, contrast of the number, saturation and colour cast.

    Args:
        image: The scene.
        rng: Random generator.
        ink: Mean grey level of the digits in ``image``.
        ground: Mean grey level of the ground around them.
        params: The distributions.
    """
    scale = params.contrast.sample(rng) / max(abs(ink - ground), 1.0)
    scale = float(np.clip(scale, *params.contrast_scale))
    mean = float(np.mean(cv2.mean(image)[:3]))
    saturation = min(rng.uniform(*params.saturation), params.saturation_limit / scale)
    gain = scale * (1 + rng.normal(0, params.cast, 3))
    level = params.mean_level.sample(rng)
    # The number must not be clipped away: both its levels stay within 4..251.
    low, high = sorted((scale * (ink - mean), scale * (ground - mean)))
    level = float(np.clip(level, min(4 - low, 127), max(251 - high, 128)))
    mix = (1 - saturation) / 3 + saturation * np.eye(3)  # towards grey or away from it
    mix = gain[:, None] * mix
    offset = level - mix.sum(1, keepdims=True) * mean + params.tint * rng.normal(0, 1, (3, 1))
    return cv2.transform(image, np.concatenate([mix, offset], 1).astype(np.float32))


def blur(
    image: np.ndarray,
    rng: np.random.Generator,
    size: float,
    params: DegradationParameters = DEGRADATION,
) -> np.ndarray:
    """Soften as by enlargement from few pixels, by the lens, and rarely by motion.

    Args:
        image: The scene.
        rng: Random generator.
        size: Digit height in pixels of ``image``.
        params: The distributions.
    """
    height, width = image.shape[:2]
    ratio = params.effective_height.sample(rng) / size
    if ratio < 0.9:
        small = (max(4, round(width * ratio)), max(4, round(height * ratio)))
        shrunk = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        enlarge = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_LINEAR
        image = cv2.resize(shrunk, (width, height), interpolation=enlarge)
    sigma = params.blur.sample(rng) * size
    if sigma > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if rng.random() < params.motion_rate:
        length = rng.uniform(*params.motion_length) * size
        image = cv2.filter2D(image, -1, _motion_kernel(length, rng.uniform(0, np.pi)))
    return image


def _motion_kernel(length: float, angle: float) -> np.ndarray:
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    middle = (side - 1) / 2
    start, stop = (np.round((middle + s * reach) * 16).astype(int) for s in (-1, 1))
    cv2.line(kernel, tuple(start), tuple(stop), 1.0, 1, cv2.LINE_8, 4)
    return kernel / kernel.sum()


def add_noise(
    image: np.ndarray,
    rng: np.random.Generator,
    size: float,
    params: DegradationParameters = DEGRADATION,
) -> np.ndarray:
    """Sensor noise, often smoothed as after enlargement, and blotches of colour.

    Args:
        image: The scene.
        rng: Random generator.
        size: Digit height in pixels.
        params: The distributions.
    """
    height, width = image.shape[:2]
    noise = rng.standard_normal((height, width, 3), np.float32)
    noise = cv2.transform(noise, np.float32(rng.uniform(*params.noise)) * _NOISE_MIX)
    if rng.random() < 0.6:
        noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.5, 1.0)) * np.float32(1.6)
    cell = max(2.0, rng.uniform(0.06, 0.25) * size)
    small = (max(2, int(height / cell) + 2), max(2, int(width / cell) + 2), 3)
    colour = rng.standard_normal(small, np.float32) * np.float32(rng.uniform(*params.colour_noise))
    colour -= colour.mean(2, keepdims=True)
    return image + noise + cv2.resize(colour, (width, height), interpolation=cv2.INTER_LINEAR)


_NOISE_MIX = np.float32(
    [[0.85, 0.4, 0.4], [0.4, 0.85, 0.4], [0.4, 0.4, 0.85]]
)  # channels correlate


def compress(
    image: np.ndarray,
    rng: np.random.Generator,
    params: DegradationParameters = DEGRADATION,
) -> np.ndarray:
    """Round to uint8 and, mostly, pass through JPEG."""
    image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if rng.random() >= params.jpeg_rate:
        return image
    quality = int(rng.integers(*params.jpeg_quality, endpoint=True))
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)
