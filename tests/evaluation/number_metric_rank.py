"""One rank of a distributed evaluation, in a module that a new process imports quickly."""

import os

import torch

from mmdet_digits.evaluation.metrics.number_metric import NumberMetric


def evaluate_rank(rank: int, samples_of_rank: list[list[dict]], size: int, folder: str):
    """Evaluate this rank's samples and save the metrics it gets to see."""
    os.chdir(folder)  # MMEngine exchanges the results in a folder under the current one
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=len(samples_of_rank)
    )
    metric = NumberMetric()
    metric.dataset_meta = {'classes': tuple('0123456789')}
    metric.process({}, samples_of_rank[rank])
    torch.save(metric.evaluate(size), f'metrics_{rank}.pth')
    torch.distributed.destroy_process_group()
