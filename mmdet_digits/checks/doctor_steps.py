"""What the doctor looks at, in its order.

At import this needs nothing but Python: what a step needs is imported inside it.
"""

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mmdet_digits.checks import machine
from mmdet_digits.checks.environment import check_import, check_installation
from mmdet_digits.checks.finding import Check, Status
from mmdet_digits.cli import parse_config_options
from mmdet_digits.repository import DATA_ROOT

REGISTER = 'mmdet_digits.register'
#: The modules that have to be importable -> those that each needs.
MODULES = {
    'numpy': (),
    'cv2': ('numpy',),
    'pycocotools': ('numpy',),
    'torch': (),
    'torchvision': ('torch',),
    'mmengine': ('numpy',),
    'mmcv': ('torch', 'cv2', 'mmengine'),
    'mmdet': ('mmcv', 'pycocotools'),
    REGISTER: ('torchvision', 'mmdet'),
}


@dataclass(frozen=True)
class Subject:
    """What to look at, besides the environment.

    Args:
        config: a config file, if any.
        data_root: folder of the data; None for where the configs look.
        options: ``PATH=VALUE`` of the config to change, as typed.
    """

    config: str | None = None
    data_root: str | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """Checks that are made together.

    Args:
        group: the part of the report that they belong to.
        title: what they look at.
        check: makes them.
        needs: titles of the steps that must not have failed before.
    """

    group: str
    title: str
    check: Callable[[Subject], Check | list[Check]]
    needs: tuple[str, ...] = ()


def steps(subject: Subject) -> list[Step]:
    """Every step that there is for a subject."""
    config = [
        Step('Config', 'config', check_config_keys, (REGISTER,)),
        Step('Config', 'parts of the config', check_config_parts, ('config',)),
    ]
    data = Step('Data', 'data', check_annotations_and_images)
    return [*environment_steps(), *(config if subject.config else ()), data]


def environment_steps() -> list[Step]:
    """The steps that look at Python, its packages and the machine."""
    runs = [
        ('operators', machine.check_operators, REGISTER),
        ('NMS', machine.check_nms, REGISTER),
        ('RoIAlign', machine.check_roi_align, REGISTER),
        ('COCOeval', machine.check_coco_eval, 'pycocotools'),
        ('device', machine.check_device, 'torch'),
    ]
    return [
        Step('Environment', 'installation', lambda _: check_installation()),
        *(
            Step('Environment', module, lambda _, module=module: check_import(module), needs)
            for module, needs in MODULES.items()
        ),
        *(
            Step('Environment', title, lambda _, check=check: check(), (needed,))
            for title, check, needed in runs
        ),
    ]


@cache
def read(subject: Subject):
    """The config of a subject, as its file has it."""
    from mmdet_digits.checks.config_files import read_config

    return read_config(subject.config, subject.data_root)


@cache
def load(subject: Subject):
    """The config of a subject, as it would be run."""
    from mmdet_digits.checks.config_files import merge_options

    cfg = copy.deepcopy(read(subject))
    merge_options(cfg, parse_config_options(subject.options))
    cfg.setdefault('work_dir', str(Path('work_dirs', Path(cfg.filename).stem)))
    return cfg


@cache
def load_splits(subject: Subject):
    """Its annotation files, parsed, and what is odd about them."""
    from mmdet_digits.checks.config_data import coco_splits, read_splits

    return read_splits(coco_splits(load(subject).to_dict()))


def check_config_keys(subject: Subject) -> list[Check]:
    """Load the config, and look for keys and options that nothing reads."""
    from mmdet_digits.checks.preflight import check_options, unread_keys

    cfg = read(subject)
    misspelt, unread = unread_keys(cfg.to_dict(), cfg.text)
    misspelt += check_options(cfg.to_dict(), parse_config_options(subject.options))
    if unread:
        found, fix = f'nothing reads {", ".join(unread)}', 'take them out'
        misspelt.append(Check('Some keys have no effect.', Status.WARN, found, '', fix))
    return misspelt or [Check('Config', Status.OK, cfg.filename)]


def check_config_parts(subject: Subject) -> list[Check]:
    """Check that the parts of the config fit each other and the data."""
    from mmdet_digits.checks.preflight import check_config

    cfg = load(subject)
    splits, _ = load_splits(subject)
    return check_config(cfg.to_dict(), splits, training=True, ask=True)


def check_annotations_and_images(subject: Subject) -> list[Check]:
    """Check annotations and images, of the config or of a folder."""
    from mmdet_digits.checks.data import check_dataset, find_splits

    if subject.config:
        from mmdet_digits.checks.data.splits import splits_there
        from mmdet_digits.checks.preflight import as_skipped, check_data_is_there

        cfg = load(subject).to_dict()
        splits, odd_files = load_splits(subject)
        there = splits_there(splits)
        found = [as_skipped(check, cfg, there) for check in check_dataset(there, decode=True)]
        return check_data_is_there(cfg) + odd_files + found
    usual = os.environ.get('DIGITS_DATA_ROOT') or DATA_ROOT
    if not subject.data_root and not Path(usual).is_dir():
        return [Check('Data', Status.OK, f'none at {usual}, none named by --data-root')]
    return check_dataset(find_splits(Path(subject.data_root or usual)), decode=True)
