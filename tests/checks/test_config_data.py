from pathlib import Path

from mmdet_digits.checks.config_data import coco_splits
from mmdet_digits.checks.data import Split


def test_the_splits_of_a_config_are_what_its_data_sets_say():
    def loader(name, **options):
        dataset = dict(data_root='d', ann_file=f'{name}.json', data_prefix=dict(img=f'{name}/'))
        return dict(dataset=dataset | options)

    splits = coco_splits(
        dict(
            train_dataloader=loader('train', ignore_classes=['plate']),
            val_dataloader=loader('valid'),
            test_dataloader=loader('test', test_mode=True),
        )
    )
    assert splits == {
        'train': Split(Path('d/train.json'), Path('d/train'), ignore_classes=('plate',)),
        'val': Split(Path('d/valid.json'), Path('d/valid')),
        'test': Split(Path('d/test.json'), Path('d/test')),
    }
    assert [split.images_only for split in splits.values()] == [False, False, True]
