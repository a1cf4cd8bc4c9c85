import pytest

from mmdet_digits.converters.image_sizes import ImageSizes
from mmdet_digits.converters.records import build_coco
from mmdet_digits.converters.voc import VocFolder
from mmdet_digits.errors import InputError

SIZE = '<size><width>100</width><height>50</height><depth>3</depth></size>'


def thing(name='7', box=(1, 1, 100, 50), extra=''):
    corners = ''.join(
        f'<{tag}>{value}</{tag}>'
        for tag, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), box, strict=True)
    )
    return f'<object><name>{name}</name>{extra}<bndbox>{corners}</bndbox></object>'


def write(folder, *objects, size=SIZE, name='1.png', stem='1'):
    filename = f'<filename>{name}</filename>' if name else ''
    (folder / f'{stem}.xml').write_text(
        f'<annotation>{filename}{size}{"".join(objects)}</annotation>'
    )
    return folder


@pytest.mark.parametrize(
    ('offset', 'inclusive', 'expected'),
    [
        (1, True, [10, 5, 8, 20]),
        (1, False, [10, 5, 7, 19]),
        (0, True, [11, 6, 8, 20]),
        (0, False, [11, 6, 7, 19]),
    ],
)
def test_boxes_to_the_pixel(tmp_path, offset, inclusive, expected):
    write(tmp_path, thing(box=(11, 6, 18, 25)))
    record = VocFolder(tmp_path, offset, inclusive)[0]
    assert record.bboxes.tolist() == [expected]


def test_the_whole_image_is_the_whole_image(tmp_path):
    write(tmp_path, thing(box=(1, 1, 100, 50)))
    conversion = build_coco(VocFolder(tmp_path), ImageSizes())
    assert conversion.coco['annotations'][0]['bbox'] == [0, 0, 100, 50]
    assert conversion.clipped == 0


def test_zero_leads_and_ten_is_zero(tmp_path):
    write(tmp_path, thing('0'), thing('10'), thing('5', extra='<difficult>1</difficult>'))
    write(tmp_path, name='folder\\2.png', stem='2')
    records = VocFolder(tmp_path)
    assert records[0].digits.tolist() == [0, 0, 5]
    assert (records[0].file_name, records[0].size) == ('1.png', (100, 50))
    assert (records[1].file_name, len(records[1].bboxes)) == ('2.png', 0)


def test_files_come_in_natural_order(tmp_path):
    for number in (10, 9, 100):
        write(tmp_path, name=f'{number}.png', stem=str(number))
    records = VocFolder(tmp_path)
    assert [records[i].file_name for i in range(3)] == ['9.png', '10.png', '100.png']


@pytest.mark.parametrize('size', ['', SIZE.replace('100', '0')])
def test_a_size_that_is_not_told(tmp_path, size):
    write(tmp_path, thing(), size=size)
    assert VocFolder(tmp_path)[0].size is None
    with pytest.raises(InputError, match=r'1\.xml: the size of 1\.png is not known'):
        build_coco(VocFolder(tmp_path), ImageSizes())


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (dict(objects=[thing(box=('inf', 1, 2, 3))]), r'object 1: bndbox/xmin is inf, expected'),
        (dict(size=SIZE.replace('100', '1e999')), 'size/width is 1e999'),
        (dict(name='..'), r'1\.xml: the file name \.\. does not stay in the folder'),
        (dict(name='a' * 260), r'the file name a+\.\.\. has 260 bytes, 255 at most'),
        (dict(objects=[thing(box=('a', 1, 2, 3))]), r'object 1: bndbox/xmin is a, expected'),
        (dict(objects=[thing(box=(1, 1, 0, 3))]), r'1\.xml: box 1 is 0 x 3 px'),
        (dict(objects=['<object><name>3</name></object>']), r'object 1: lacks bndbox/xmin'),
        (dict(objects=['<object/>']), 'object 1: lacks name'),
        (dict(name=''), r'1\.xml: lacks filename'),
        (dict(size='<size><width>x</width></size>'), 'size/width is x'),
        (dict(objects=['<open>']), r'1\.xml: not readable as XML'),
    ],
)
def test_bad_records_are_named(tmp_path, content, message):
    write(tmp_path, *content.pop('objects', ()), **content)
    with pytest.raises(InputError, match=message):
        VocFolder(tmp_path)[0]


def test_folders_without_xml(tmp_path):
    with pytest.raises(InputError, match='no XML file in it'):
        VocFolder(tmp_path)
    with pytest.raises(InputError, match='is no folder'):
        VocFolder(tmp_path / 'none')


def test_boxes_of_other_classes_are_kept_apart(tmp_path):
    write(tmp_path, thing('border'), thing('7.0'), thing(' 9 '), thing(':'))
    record = VocFolder(tmp_path)[0]
    assert (record.digits.tolist(), record.others) == ([7, 9], ('border', ':'))


def test_endings_and_line_ends_as_windows_has_them(tmp_path):
    path = write(tmp_path, thing('3')) / '1.xml'
    path.with_suffix('.XML').write_bytes(
        b'\xef\xbb\xbf' + path.read_bytes().replace(b'>', b'>\r\n')
    )
    path.unlink()
    assert VocFolder(tmp_path)[0].digits.tolist() == [3]
