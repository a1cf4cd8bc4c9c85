from collections import Counter

import pytest
from PIL import Image

from mmdet_digits.converters.image_sizes import ImageSizes
from mmdet_digits.converters.records import build_coco
from mmdet_digits.converters.yolo import (
    YoloFolder,
    digits_of_classes,
    find_names,
    read_names,
)
from mmdet_digits.errors import InputError


@pytest.fixture
def folders(tmp_path):
    """Images 1 and 2 of 100 x 50; 1 says 07, 2 has no text file."""
    images, labels = tmp_path / 'images', tmp_path / 'labels'
    images.mkdir()
    labels.mkdir()
    for number in (1, 2):
        Image.new('RGB', (100, 50)).save(images / f'{number}.png')
    write(labels, '0 0.1 0.5 0.08 0.4\n\n7 0.35 0.5 0.1 0.4\n')
    return images, labels


def write(labels, text, name='1.txt'):
    (labels / name).write_text(text)


def yolo_line(digit, box, width, height):
    x, y, w, h = box
    return f'{digit} {(x + w / 2) / width:.6f} {(y + h / 2) / height:.6f} ' + (
        f'{w / width:.6f} {h / height:.6f}'
    )


def test_boxes_to_the_pixel(folders):
    records = YoloFolder(*folders)
    assert len(records) == 2
    assert records[0].file_name == '1.png'
    assert records[0].digits.tolist() == [0, 7]
    assert records[0].bboxes.round(6).tolist() == [[6, 15, 8, 20], [30, 15, 10, 20]]
    assert records[1].bboxes.shape == (0, 4)


def test_pixels_come_back_from_six_decimals(tmp_path):
    width, height, box = 741, 350, [245.0, 76.0, 81.0, 219.0]
    (tmp_path / '1.txt').write_text(yolo_line(1, box, width, height))
    Image.new('RGB', (width, height)).save(tmp_path / '1.png')
    conversion = build_coco(YoloFolder(tmp_path, tmp_path), ImageSizes())
    assert conversion.coco['annotations'][0]['bbox'] == box
    assert conversion.clipped == 0


def test_a_box_over_the_edge_is_cut(folders):
    write(folders[1], yolo_line(3, [-2, 40, 10, 20], 100, 50))
    conversion = build_coco(YoloFolder(*folders), ImageSizes())
    assert conversion.coco['annotations'][0]['bbox'] == [0, 40, 8, 10]
    assert conversion.clipped == 1


def test_class_names(folders):
    names = [*'123456789', '10']
    write(folders[1], '9 0.1 0.5 0.08 0.4\n0 0.35 0.5 0.1 0.4')
    assert YoloFolder(*folders, names)[0].digits.tolist() == [0, 1]


@pytest.mark.parametrize(
    ('name', 'text', 'expected'),
    [
        ('classes.txt', '1\n0\n', ['1', '0']),
        ('data.yaml', "nc: 2\nnames: ['1', '0']\n", ['1', '0']),
        ('data.yaml', 'names:\n  1: 0\n  0: 1\n', ['1', '0']),
        ('data.yaml', "names: {'0': '9 ', '1': 7}\n", ['9', '7']),
        ('data.yaml', "\ufeffnames:\r\n- ' 1'\r\n- '0'\r\n", ['1', '0']),
        ('DATA.YML', 'names: [1, 0]', ['1', '0']),
        (
            'classes.txt',
            '\ufeff1 \r\nmarinara sauce\r\n\r\n0\r\n\r\n',
            ['1', 'marinara sauce', '', '0'],
        ),
    ],
)
def test_read_names(tmp_path, name, text, expected):
    (tmp_path / name).write_bytes(text.encode())
    assert read_names(tmp_path / name) == expected


@pytest.mark.parametrize(
    'text',
    [
        'path: x\n',
        'names: {1: a}\n',
        'names: {x: 1}',
        'names: [\n',
        '',
        'names: 3\n',
        b'names: \xff',
    ],
)
def test_no_names(tmp_path, text):
    (tmp_path / 'data.yaml').write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=r'data\.yaml: no class names'):
        read_names(tmp_path / 'data.yaml')


@pytest.mark.parametrize('names', [['dog', 'cat'], ['0', '0'], ['10', '0'], []])
def test_names_that_are_no_digits(names):
    with pytest.raises(InputError, match='expected: digits, each once'):
        digits_of_classes(names)


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('3 0.5 0.5 0.1', '4 values, expected 5'),
        ('3 0.5 0.5 0.1 0.1 0.9', '6 values, expected 5.*predictions'),
        ('3 0.5 0.5 0.1 x', "could not convert string to float: 'x'"),
        ('3.5 0.5 0.5 0.1 0.1', 'invalid literal'),
        ('10 0.5 0.5 0.1 0.1', 'class 10, expected 0 to 9'),
        ('-1 0.5 0.5 0.1 0.1', 'class -1'),
        ('3 50 25 10 10', '50 25 10 10, expected fractions'),
        ('3 nan 0.5 0.1 0.1', 'expected fractions'),
    ],
)
def test_bad_lines_are_named(folders, line, message):
    write(folders[1], f'0 0.1 0.5 0.08 0.4\n{line}\n')
    with pytest.raises(InputError, match=rf'1\.txt, line 2: .*{message}'):
        YoloFolder(*folders)[0]


def test_a_box_without_area(folders):
    write(folders[1], '0 0.1 0.5 0 0.4')
    with pytest.raises(InputError, match=r'1\.txt: box 1 is 0 x 20 px'):
        YoloFolder(*folders)[0]


def test_folders_that_do_not_belong_together(folders, tmp_path):
    images, labels = folders
    write(labels, '', name='classes.txt')
    YoloFolder(images, labels)
    write(labels, '', name='7.txt')
    with pytest.raises(InputError, match=r'1 of 2 texts have no image (?s:.*) first is 7\.txt'):
        YoloFolder(images, labels)
    (labels / '7.txt').unlink()
    Image.new('RGB', (9, 9)).save(images / '1.jpg')
    with pytest.raises(InputError, match='several images are named 1'):
        YoloFolder(images, labels)
    with pytest.raises(InputError, match='no image in it'):
        YoloFolder(labels, labels)
    with pytest.raises(InputError, match='nowhere is no folder'):
        YoloFolder(images, tmp_path / 'nowhere')


@pytest.mark.parametrize('place', ['labels/classes.txt', 'data.yaml', '../data.yaml'])
def test_the_class_order_that_lies_beside_counts(folders, tmp_path, place):
    content = {'.txt': '5\n8\n', '.yaml': "names: ['5', '8']\n"}
    folder = tmp_path / 'train'
    folder.mkdir()
    labels = folders[1].rename(folder / 'labels')
    path = folder / place
    path.write_text(content[path.suffix])
    names, origin = find_names(labels)
    assert names == ['5', '8']
    assert origin == f'by {path.resolve()}'


def test_without_class_names_class_0_is_the_digit_0(folders, tmp_path):
    (tmp_path / 'data.yaml').write_text('something: else\n')
    names, origin = find_names(folders[1])
    assert names == [*'0123456789']
    assert origin.startswith(f'no classes.txt or data.yaml with names in {folders[1]}')


def test_two_class_orders_have_to_agree(folders, tmp_path):
    write(folders[1], '1\n10\n7.0\n', name='classes.txt')
    (tmp_path / 'data.yaml').write_text('names: {"0": 1, "1": 0, "2": 7}\n')
    names, origin = find_names(folders[1])
    assert (names[0], origin.count(' and ')) == ('1', 1)
    (tmp_path / 'data.yaml').write_text('names: [1, 7, 0]\n')
    with pytest.raises(InputError, match=r'(?s)labels/classes\.txt: 1, 10.*data\.yaml: 1, 7, 0'):
        find_names(folders[1])


def test_boxes_of_other_classes_are_kept_apart(folders):
    write(folders[1], '1 0.1 0.5 0.08 0.4\n0 0.35 0.5 0.1 0.4\n1 0.5 0.5 0.9 0.9\n')
    records = YoloFolder(*folders, ['7', 'border', ':'])
    assert (records[0].digits.tolist(), records[0].others) == ([7], ('border', 'border'))
    notes = list(records.notes(Counter(records[0].others)))
    assert 'Classes that are no digits and have no boxes: :.' in notes
    assert 'Images without a text file, taken as images without digits: 1.' in notes


def test_what_other_tools_write_is_read(folders):
    images, labels = folders
    (labels / '1.txt').unlink()
    content = '\ufeff7.0 0.5 0.5 1.0000004 1\r\n3e0 0.5 -0.0000004 0.1 0.5\r\n'
    (labels / '1.TXT').write_bytes(content.encode())
    record = YoloFolder(images, labels)[0]
    assert record.digits.tolist() == [7, 3]
    assert record.bboxes[0].round(3).tolist() == [0, 0, 100, 50]


def test_no_label_file_is_no_success(folders, tmp_path):
    images, labels = folders
    (labels / '1.txt').rename(tmp_path / '1.txt')
    write(labels, '1', name='classes.txt')
    (labels / 'train').mkdir()
    with pytest.raises(InputError, match=r'no label file in it(?s:.*)classes\.txt, train/'):
        YoloFolder(images, labels)


def test_two_label_files_of_one_image(folders):
    write(folders[1], '', name='1.TXT')
    with pytest.raises(InputError, match=r'two text files(?s:.*)1\.TXT, 1\.txt'):
        YoloFolder(*folders)
