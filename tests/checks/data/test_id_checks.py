import pytest
from check_samples import failures, make_box, make_coco, make_image, outcome, table_of

from mmdet_digits.checks.data.ids import check_ids


def check(coco):
    return check_ids(table_of(coco))


def test_sound_ids():
    assert failures(check(make_coco())) == {}


@pytest.mark.parametrize(
    ('change', 'name', 'status', 'found'),
    [
        (
            lambda coco: coco['images'].append(make_image(2, file_name='again.png')),
            'duplicate image ids',
            'fail',
            '2: image 2 (2.png), image 2 (again.png)',
        ),
        (
            lambda coco: coco['annotations'][5].update(id=2),
            'duplicate annotation ids',
            'fail',
            '2: annotation 2 of image 1 (1.png), annotation 2 of image 3 (3.png)',
        ),
        (
            lambda coco: coco['annotations'][5].update(id=0),
            'annotation id 0',
            'warn',
            '1: annotation 0 of image 3 (3.png)',
        ),
        (
            lambda coco: coco['images'][2].update(file_name='1.png'),
            'duplicate file names',
            'fail',
            '2: image 1 (1.png), image 3 (1.png)',
        ),
        (
            lambda coco: coco['annotations'].append(make_box(9, 77, [1, 2, 3, 4])),
            'annotations without image',
            'fail',
            '1: annotation 9 of image 77',
        ),
        (
            lambda coco: coco['annotations'][0].update(category_id=11),
            'annotations without category',
            'fail',
            '1: annotation 2 of image 1 (1.png): category_id 11',
        ),
        (
            lambda coco: coco['images'].append(make_image(4)),
            'images without annotations',
            'warn',
            '1: image 4 (4.png)',
        ),
    ],
)
def test_each_fault_is_named_with_its_ids(change, name, status, found):
    coco = make_coco()
    change(coco)
    checks = check(coco)
    assert failures(checks) == {name: status}
    assert outcome(checks, name).found == found


def test_ids_that_stand_twice_are_shown_side_by_side():
    coco = make_coco(images=4)
    for row, image_id in enumerate((8, 5, 8, 5)):
        coco['images'][row]['id'] = image_id
    found = outcome(check(coco), 'duplicate image ids').found
    assert found == '4: image 5 (2.png), image 5 (4.png), image 8 (1.png), image 8 (3.png)'


def test_all_annotations_are_without_image_where_there_is_none():
    coco = make_coco() | {'images': [make_image(77)]}
    checks = check(coco)
    assert outcome(checks, 'annotations without image').found.startswith('6: annotation 2 of')
    assert outcome(checks, 'images without annotations').status == 'warn'
