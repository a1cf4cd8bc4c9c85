"""A sampler of anchors and RoIs without chance: a config of test_distributed_runs.py imports it."""

from mmdet.models.task_modules import RandomSampler
from mmdet.registry import TASK_UTILS


@TASK_UTILS.register_module()
class FirstSampler(RandomSampler):
    """Takes the first ones."""

    def random_choice(self, gallery, num):
        return gallery[:num]
