"""Which process of a run this is. Nothing here needs torch."""

import os


def process_rank() -> int:
    """Which of the processes of a run this is, 0 for the first or only one."""
    return int(os.environ.get('RANK', 0))


def lost_process(error: RuntimeError) -> bool:
    """Whether an error is that another process of this run has ended, which has said why."""
    return int(os.environ.get('WORLD_SIZE', 1)) > 1 and 'by peer' in str(error)
