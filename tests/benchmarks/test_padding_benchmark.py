import sys

import pytest
from printed_tables import rows_of


def test_batches_of_a_config_are_compared(digits_root, monkeypatch, capsys):
    import padding

    options = ['--data-root', str(digits_root), '--batch', '4', '--divisor', '1']
    monkeypatch.setenv('DIGITS_DATA_ROOT', '')
    monkeypatch.setattr(sys, 'argv', ['padding.py', 'configs/digits/frcnn_tiny.py', *options])
    padding.main()
    said = capsys.readouterr().out
    assert '48 images' in said and 'batches of 4' in said and 'multiples of 1\n' in said
    rows = rows_of(said)
    shares = {
        name: [float(cell.rstrip('%')) for cell in cells[:3]]
        for name, cells in list(rows.items())[2:]
    }
    for total, differing, rounding in shares.values():
        assert total == pytest.approx(differing + rounding, abs=0.11)
    assert shares['one image each'] == [0, 0, 0]
    assert shares['by size, window 32'][0] < shares['random'][0] - 2
