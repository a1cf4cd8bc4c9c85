import numpy as np
import pytest

from mmdet_digits.assembly.edit_distance import (
    batch_edits,
    count_digits,
    encode_numbers,
)


def plain_distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


@pytest.mark.parametrize(
    ('predicted', 'target', 'missed', 'extra', 'confused'),
    [
        ('-1', '-1', 0, 0, 0),
        ('-1', '123', 3, 0, 0),
        ('123', '-1', 0, 3, 0),
        ('7', '7', 0, 0, 0),
        ('7', '1', 0, 0, 1),
        ('12', '123', 1, 0, 0),
        ('23', '123', 1, 0, 0),
        ('0123', '123', 0, 1, 0),
        ('124', '123', 0, 0, 1),
        ('21', '12', 0, 0, 2),  # as cheap as one extra and one missed
        ('234', '1234', 1, 0, 0),
        ('2345', '1234', 1, 1, 0),
        ('99', '12345', 3, 0, 2),
        ('1111', '11', 0, 2, 0),
    ],
)
def test_edits(predicted, target, missed, extra, confused):
    edits = batch_edits(encode_numbers([predicted]), encode_numbers([target]))
    assert (edits.missed[0], edits.extra[0], edits.confused[0]) == (missed, extra, confused)
    assert edits.distance[0] == missed + extra + confused


def test_many_pairs_equal_the_plain_distance():
    rng = np.random.default_rng(0)
    texts = [
        [''.join(map(str, rng.integers(0, 4, rng.integers(0, 9)))) for _ in range(2000)]
        for _ in range(2)
    ]
    edits = batch_edits(*(encode_numbers(text) for text in texts))
    assert edits.distance.tolist() == [plain_distance(a, b) for a, b in zip(*texts, strict=True)]
    assert (np.stack(edits) >= 0).all()
    lengths = [np.array([len(text) for text in side]) for side in texts]
    np.testing.assert_array_equal(edits.extra - edits.missed, lengths[0] - lengths[1])


def test_encode():
    codes = encode_numbers(['12', '-1', '', '007'])
    assert codes.shape == (4, 3)
    assert count_digits(codes).tolist() == [2, 0, 0, 3]
    assert encode_numbers([]).shape[0] == 0
    assert encode_numbers(np.array(['5'], dtype='<U90')).tolist() == [[ord('5')]]


@pytest.mark.parametrize('text', ['-2', '1a', ' 1', '1.0'])
def test_other_characters_are_named(text):
    with pytest.raises(ValueError, match=f"number 1: expected digits or '-1', found '{text}'"):
        encode_numbers(['12', text])
