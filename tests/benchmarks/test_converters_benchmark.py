import sys

from printed_tables import rows_of


def test_folders_and_photographs_are_timed(monkeypatch, capsys):
    import converters

    options = ['--counts', '3', '5', '--sides', '40', '30']
    monkeypatch.setattr(sys, 'argv', ['converters.py', *options])
    converters.main()
    rows = rows_of(capsys.readouterr().out)
    assert [name for name in rows if name.strip('-')] == [
        'label files', '3', '5', 'photograph', 'png', 'jpg'
    ]  # fmt: skip
    assert all(float(cell) >= 0 for name in ('3', '5', 'png', 'jpg') for cell in rows[name])
