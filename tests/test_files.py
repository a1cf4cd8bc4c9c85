import csv
import gzip
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from mmdet_digits.errors import InputError
from mmdet_digits.files import (
    check_folder,
    check_outputs,
    check_writable,
    csv_text,
    held_folder,
    image_files,
    natural_key,
    read_file,
    read_json,
    write_file,
)

AS_ROOT = hasattr(os, 'geteuid') and os.geteuid() == 0


def test_existing_outputs_are_refused_unless_asked_for(tmp_path):
    there, new = tmp_path / 'there.csv', tmp_path / 'deep' / 'new.csv'
    there.write_text('old')
    with pytest.raises(InputError, match=r'there\.csv: already there; nothing was written'):
        check_outputs([new, there], overwrite=False)
    check_outputs([new], overwrite=False)
    check_outputs([new, there], overwrite=True)


def test_folders_are_outputs_of_their_own_kind(tmp_path):
    with pytest.raises(InputError, match='cannot be written'):
        check_outputs([tmp_path], overwrite=True)
    with pytest.raises(InputError, match='already there'):
        check_outputs([], overwrite=False, folders=[tmp_path])
    check_outputs([], overwrite=True, folders=[tmp_path])


def test_a_link_to_nothing_counts_as_there(tmp_path):
    (tmp_path / 'link').symlink_to(tmp_path / 'nothing')
    with pytest.raises(InputError, match='a link to nothing'):
        check_outputs([tmp_path / 'link'], overwrite=False)


def test_nothing_can_be_written_below_a_file(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match=r'found: .*file is a file'):
        check_outputs([tmp_path / 'file' / 'deep' / 'new.csv'], overwrite=False)
    with pytest.raises(InputError, match='nothing can be written there'):
        check_writable(tmp_path / 'file')
    check_writable(tmp_path / 'new' / 'folder')


@pytest.mark.skipif(AS_ROOT, reason='root may read and write everything')
def test_missing_rights_are_told(tmp_path):
    (tmp_path / 'closed').mkdir(mode=0o500)
    with pytest.raises(InputError, match='may not be written to'):
        check_writable(tmp_path / 'closed' / 'new')
    (tmp_path / 'secret.json').touch(mode=0o200)
    with pytest.raises(InputError, match=r'secret\.json: cannot be read(?s:.*)Permission denied'):
        read_json(tmp_path / 'secret.json', 'JSON')


def test_files_are_written_whole_into_new_folders(tmp_path):
    path = tmp_path / 'deep' / 'new.csv'
    for content in ('text\n', b'bytes'):
        write_file(path, content)
        assert path.read_bytes() == (content if isinstance(content, bytes) else b'text\n')
    assert [entry.name for entry in path.parent.iterdir()] == ['new.csv']


@pytest.mark.parametrize('suffix', ['json', 'json.gz'])
def test_json_is_read_plain_and_gzipped_whatever_its_name(tmp_path, suffix):
    path, content = tmp_path / f'a.{suffix}', {'a': [1, None, 'ä']}
    for data in (json.dumps(content).encode(), gzip.compress(json.dumps(content).encode())):
        path.write_bytes(data)
        assert read_json(path, 'JSON') == content


@pytest.mark.parametrize(
    ('data', 'found'),
    [
        (b'', r'line 1, column 1, where the file ends \(0 bytes\): it was cut off'),
        (b'{"a": [1,\n', r'line 2, column 1, where the file ends'),
        (b'{"a": 1,}', r'line 1, column 9'),
        (b'["\xff"]', "can't decode byte 0xff"),
        (gzip.compress(b'[1]', mtime=0)[:-4], 'end-of-stream'),
        (b'[' * 100_000, 'too deep to read'),
        (b'[' + b'9' * 5000 + b']', '5000 digits'),
        (b'[{"a": 1, "b": 2, "a": 3}]', 'an object with the key "a" twice'),
    ],
)
def test_what_is_no_json_is_told(tmp_path, data, found):
    path = tmp_path / 'a.json'
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf'a\.json: not valid JSON\.\n  found: .*{found}'):
        read_json(path, 'a list')


def test_missing_files_and_folders_are_told(tmp_path):
    with pytest.raises(InputError, match=r'no such file\.\n  found:    nothing\n  expected: it'):
        read_file(tmp_path / 'none', 'it')
    with pytest.raises(InputError, match='found:    a folder'):
        read_file(tmp_path, 'it')
    with pytest.raises(InputError, match=r'is no folder\.\n  found:    nothing'):
        check_folder(tmp_path / 'none', 'it')
    check_folder(tmp_path, 'it')


@pytest.mark.parametrize('text', ['=1+1', '+a', '-a', '@a', '\tx', '\rx'])
def test_csv_has_no_formula(text):
    rows = list(csv.reader(io.StringIO(csv_text(['a', 'b'], [(text, -1)]), newline='')))
    assert rows == [['a', 'b'], [f"'{text}", '-1']]


@pytest.mark.parametrize('text', ['-1', '+2.5', 'a=b', '', 'a,"b\nc"', '<b>'])
def test_csv_keeps_other_texts(text):
    rows = list(csv.reader(io.StringIO(csv_text(['a', 'b'], [(text, 'z')]), newline='')))
    assert rows == [['a', 'b'], [text, 'z']]


def test_images_come_in_natural_order(tmp_path):
    for name in ('10.png', '9.png', 'b.jpg', 'A.PNG', 'notes.txt'):
        (tmp_path / name).write_text('')
    assert [p.name for p in image_files(tmp_path)] == ['9.png', '10.png', 'A.PNG', 'b.jpg']


def test_natural_key_never_compares_numbers_with_text():
    names = ['1\u06612.png', '1a2.png', '10.png', '2.png', '02.png', '\u00b2.png', '9' * 5000, 'a']
    expected = [
        '1a2.png',
        '1\u06612.png',
        '02.png',
        '2.png',
        '10.png',
        '9' * 5000,
        'a',
        '\u00b2.png',
    ]
    for order in (names, names[::-1]):
        assert sorted(order, key=natural_key) == expected


def test_a_small_file_that_unpacks_to_a_large_one_is_refused(tmp_path):
    path = tmp_path / 'blanks.json'
    path.write_bytes(gzip.compress(b'{}' + b' ' * 2**27, 1))
    tracemalloc.start()
    with pytest.raises(InputError, match=r'unpacks to over 100 times its size'):
        read_json(path, 'JSON')
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * 2**27
    path.write_bytes(gzip.compress(b'[' + b'1234567, ' * 2**16 + b'0]') + gzip.compress(b' '))
    assert len(read_json(path, 'JSON')) == 2**16 + 1


@pytest.mark.parametrize('output', ['pred.json', 'link', 'deep/../pred.json'])
def test_an_input_is_never_an_output(tmp_path, output):
    (tmp_path / 'pred.json').write_text('mine')
    (tmp_path / 'deep').mkdir()
    (tmp_path / 'link').symlink_to('pred.json')
    with pytest.raises(InputError, match='an input would be replaced; nothing was written'):
        check_outputs([tmp_path / output], True, inputs=[tmp_path / 'pred.json', None])
    check_outputs([tmp_path / 'other.json'], True, inputs=[tmp_path / 'pred.json', tmp_path])


def test_pictures_do_not_go_into_a_folder_of_inputs(tmp_path):
    for folder in (tmp_path / 'images', tmp_path / 'images' / 'deep'):
        with pytest.raises(InputError, match='an input would be replaced'):
            check_outputs([], True, [folder], inputs=[tmp_path / 'images'])
    check_outputs([], True, [tmp_path], inputs=[tmp_path / 'images'])


def test_two_outputs_have_two_places(tmp_path):
    with pytest.raises(InputError, match='named for two outputs'):
        check_outputs([tmp_path / 'a.csv', tmp_path / 'b' / '..' / 'a.csv'], overwrite=True)


@pytest.mark.skipif(os.name != 'posix', reason='such files are found on POSIX systems')
@pytest.mark.parametrize('overwrite', [False, True])
def test_devices_and_pipes_are_not_replaced(tmp_path, overwrite):
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'link').symlink_to('/dev/null')
    for path in ('/dev/null', tmp_path / 'pipe', tmp_path / 'link'):
        with pytest.raises(InputError, match='no file but a device, a pipe or a socket'):
            check_outputs([path], overwrite)
    assert Path('/dev/null').is_char_device()


@pytest.mark.skipif(not Path('/proc/self').exists(), reason='/proc is Linux')
def test_a_disk_that_takes_no_files_is_told_before_the_work():
    """Rights say that root may write there."""
    with pytest.raises(InputError, match=r'nothing can be written there(?s:.*)may not be written'):
        check_outputs(['/proc/new.csv'], overwrite=False)


def test_a_disk_that_is_read_only_is_told_before_the_work(tmp_path):
    mount = f'mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path}'
    if subprocess.run(['unshare', '-rm', 'sh', '-c', mount], capture_output=True).returncode:
        pytest.skip('may not mount a disk here')
    code = 'from mmdet_digits.files import check_outputs; check_outputs(["deep/a"], False)'
    command = ['unshare', '-rm', 'sh', '-c', f'{mount} && cd {tmp_path} && exec "$@"', 'sh']
    done = subprocess.run([*command, sys.executable, '-c', code], capture_output=True, text=True)
    assert 'found:    ' + str(tmp_path) + ' may not be written to: Read-only' in done.stderr


def test_a_name_that_the_disk_refuses_is_told(tmp_path):
    with pytest.raises(InputError, match='File name too long'):
        check_outputs([tmp_path / ('a' * 300)], overwrite=False)


def test_what_killed_writers_left_is_removed_and_what_others_write_stays(tmp_path):
    killed = subprocess.Popen([sys.executable, '-c', 'pass'])
    killed.wait()
    names = {
        number: f'.{number}.pred.json.part' for number in (killed.pid, os.getppid(), os.getpid())
    }
    for name in (*names.values(), f'.{killed.pid}.other.json.part'):
        (tmp_path / name).touch()
    check_outputs([tmp_path / 'pred.json'], overwrite=False)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {names[os.getppid()], f'.{killed.pid}.other.json.part'}


WRITE = """
import resource, signal, sys
from PIL import Image
from matplotlib.figure import Figure
from mmdet_digits.files import write_figure, write_image
from mmdet_digits.visualization.confusion_figure import save_confusion_figure
from mmdet_digits.visualization.sweep_figure import HeatMap, save_sweep_figure
import numpy as np
maps, steps = [HeatMap('a', np.eye(2))], [0, 1]
noise = np.random.default_rng(0).integers(0, 255, (90, 140, 3), np.uint8)
save = {
    'image': lambda path: write_image(path, Image.fromarray(noise)),
    'figure': lambda path: write_figure(path, Figure(), dpi=300),
    'confusion': lambda path: save_confusion_figure(path, np.eye(11, dtype=int)),
    'sweep': lambda path: save_sweep_figure(path, maps, steps, steps, 'b'),
}[sys.argv[1]]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
save(sys.argv[2])
"""


@pytest.mark.skipif(os.name != 'posix', reason='limits of a process are those of POSIX')
@pytest.mark.parametrize('kind', ['image', 'figure', 'confusion', 'sweep'])
def test_a_full_disk_keeps_the_old_picture(tmp_path, kind):
    """In a process that may write no file over 1,000 bytes."""
    (tmp_path / 'old.png').write_bytes(b'old')
    command = [sys.executable, '-c', WRITE, kind, tmp_path / 'old.png']
    done = subprocess.run(command, capture_output=True, text=True)
    assert f'RunError: {tmp_path}/old.png: not written; ' in done.stderr
    assert (tmp_path / 'old.png').read_bytes() == b'old'
    assert [path.name for path in tmp_path.iterdir()] == ['old.png']


HOLD = r"""
import os, sys, time
from mmdet_digits.files import held_folder
with held_folder(sys.argv[1]):
    if not os.fork():
        os.write(1, b'forked\n')
        time.sleep(60)  # as a data worker that its parent leaves behind
        os._exit(0)
    os.write(1, b'held\n')
    time.sleep(60)
"""


@pytest.mark.skipif(os.name != 'posix', reason='forks')
def test_a_folder_is_held_by_one_process_until_that_ends(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, '-c', HOLD, tmp_path / 'run'],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert {holder.stdout.readline() for _ in range(2)} == {'held\n', 'forked\n'}
        with pytest.raises(InputError) as error, held_folder(tmp_path / 'run'):
            pass
        lines = str(error.value).splitlines()
        assert lines[0] == f'{tmp_path}/run: another run is writing there.'
        where = f'process {holder.pid} on {socket.gethostname()}, since '
        assert where in lines[1]
        with held_folder(tmp_path / 'run', '.other.lock'):
            assert (tmp_path / 'run' / '.other.lock').is_file()
        holder.kill()
        holder.wait()
        with held_folder(tmp_path / 'run'):
            pass
        assert list((tmp_path / 'run').iterdir()) == []
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.stdout.close()
