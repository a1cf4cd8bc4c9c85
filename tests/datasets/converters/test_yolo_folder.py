import pytest
from PIL import Image

from mmdet_digits.datasets.converters.image_sizes import ImageSizes
from mmdet_digits.datasets.converters.records import build_coco
from mmdet_digits.datasets.converters.yolo import YoloFolder, digits_of_classes, read_names
from mmdet_digits.utils.errors import InputError


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
    ],
)
def test_read_names(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    assert read_names(tmp_path / name) == expected


@pytest.mark.parametrize('text', ['path: x\n', 'names: {1: a}\n', 'names: [\n', '', 'names: 3\n'])
def test_no_names(tmp_path, text):
    (tmp_path / 'data.yaml').write_text(text)
    with pytest.raises(InputError, match=r'data\.yaml: no class names'):
        read_names(tmp_path / 'data.yaml')


@pytest.mark.parametrize('names', [['0', 'cat'], ['0', '0'], ['10', '0'], []])
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
