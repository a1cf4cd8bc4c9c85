# Changes that keep a digit the same digit: no flip, small turns, other sizes and colours. Put in
# front of Resize; digits leave the image only as far as their number does.
jitter = [
    dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3),
    dict(
        type='RandomCenterAffine',
        max_rotate_degree=4.0,
        max_translate_ratio=0.05,
        scaling_ratio_range=(0.8, 1.2),
        max_shear_degree=3.0,
        border_val=(104, 116, 124),
    ),
]
