"""MMEngine's runner with a console that shows what its user needs; the log file has everything."""

import logging

from mmengine.logging import MMLogger
from mmengine.runner import Runner

LONGEST = 12
"""Lines of a message of the runner itself; config, environment and hooks have more."""

HARMLESS = (
    'Distributed training is not used, all SyncBatchNorm',  # no model here has one
    '"FileClient" will be deprecated',  # MMEngine's own hooks use it
    '"HardDiskBackend" is the alias of',
    'resumed key: ',  # of what the checkpoint remembers and MMEngine does not bring back
)
"""How messages begin of which nothing follows for the run."""


class ConsoleRunner(Runner):
    """Logs to its file what MMEngine logs, and less of it to the console."""

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """MMEngine's logger, the console of which leaves out long and harmless messages."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:  # that of the file is of a class below
                handler.addFilter(is_for_console)
        return logger


def is_for_console(record: logging.LogRecord) -> bool:
    """Whether a message is one that the user of a run should see at once."""
    text = record.getMessage()
    is_dump = record.module == 'runner' and text.count('\n') > LONGEST
    return not (is_dump or text.startswith(HARMLESS))
