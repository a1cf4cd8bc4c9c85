"""What all command lines share: types of arguments, common options, one way to report an error.

To import this needs no torch: ``--help`` and what is wrong with the arguments is said at once.
"""

import contextlib
import csv
import logging
import multiprocessing
import os
import select
import sys
import time
from argparse import (
    SUPPRESS,
    ArgumentParser,
    ArgumentTypeError,
    RawDescriptionHelpFormatter,
)
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, TextIO
from urllib.error import URLError

from mmdet_digits.errors import InputError
from mmdet_digits.processes import lost_process, process_rank

FAILED_FILES = 3
"""Exit status of a tool that has done its work but for some of many files."""
BROKEN_PIPE = 141  # 128 + SIGPIPE, as shells have it
PATIENCE = 20  # seconds
SPINS = '100000'
"""How often a thread of GNU OpenMP looks whether it may go on, before it sleeps.

Its own value is three times as high. Threads that wait so make training many times slower where
anything else runs on the machine. With a tenth of this a step of the tiny detector took a tenth
longer on two free cores.
"""


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """Within, a tool whose output nobody reads any more ends without a word.

    Its log lines do not end it: a training goes on, with its log file.
    """
    logging.raiseExceptions = False  # a traceback for each line that a handler cannot write
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # not at exit, where Python shows the error
    except BrokenPipeError:
        left = [stream for stream in (sys.stdout, sys.stderr) if _is_broken(stream)]
        if not left:  # it was another pipe
            raise
        for stream in left:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(BROKEN_PIPE)


def _is_broken(stream: TextIO) -> bool:
    """Whether a stream is a pipe without a reader."""
    if not hasattr(select, 'poll'):
        return False
    poll = select.poll()
    poll.register(stream.fileno(), 0)  # an error is reported though not asked for
    return bool(poll.poll(0))


@reader_may_leave()
def run_tool(main: Callable[[], int | None], debug: bool = '--debug' in sys.argv) -> None:
    """Run a tool; print what its user can put right without a traceback and exit with status 1.

    Ctrl-C ends it with one line and status 130, SIGTERM in a training with 143.

    Args:
        main: the tool; returns its exit status, None for 0.
        debug: show the traceback.
    """
    sys.excepthook = hush_orphans
    os.environ.setdefault('GOMP_SPINCOUNT', SPINS)  # read when torch is imported
    try:
        status = main()
    except KeyboardInterrupt as stop:
        if not process_rank():
            print(str(stop) or 'Stopped by Ctrl-C.', file=sys.stderr)
        sys.exit(getattr(stop, 'exit_status', 130))
    except ConnectionError:  # a closed pipe, or a server that is away
        raise
    except (InputError, OSError) as error:
        if debug:
            raise
        # A DataLoader worker hands its exception on as text, traceback first.
        text = str(error).rpartition(f'{InputError.__name__}: ')[2]
        if isinstance(error, OSError) and not isinstance(error, URLError):
            text = str(refused_by_system(error))
        rank = process_rank()
        if rank:  # the first process, if it has met the same, says so and ends this one
            time.sleep(PATIENCE)
        sys.exit(f'error{f" of process {rank}" if rank else ""}: {text}')
    except RuntimeError as error:
        if debug or not lost_process(error):
            raise
        sys.exit('error: another process of this run has ended.')
    sys.exit(status or 0)


def refused_by_system(error: OSError) -> InputError:
    """The message about a file, pipe or disk that the system refuses."""
    name = os.fsencode(str(error.filename or 'the output')).decode(errors='backslashreplace')
    return InputError(
        f'{name}: the system refuses it.',
        error.strerror or str(error),
        'a path that can be read and written, and room on its disk',
        'give another; --debug shows the traceback',
    )


def report_failed_files(errors: Sequence[str], what: str = 'read') -> int:
    """Name the files that a tool went on without, on stderr.

    Args:
        errors: a line for each.
        what: what could not be done to them.

    Returns:
        The exit status: ``FAILED_FILES``, or 0 if there are none.
    """
    if not errors:
        return 0
    print(f'{len(errors):,} files could not be {what}:', file=sys.stderr)
    print(*(f'  {error}' for error in errors), sep='\n', file=sys.stderr)
    return FAILED_FILES


def hush_orphans(kind: type[BaseException], error: BaseException, trace: TracebackType) -> None:
    """Show an uncaught exception, but not that a data worker lost the main process."""
    orphaned = issubclass(kind, ConnectionError | EOFError | KeyboardInterrupt)
    if not (orphaned and multiprocessing.parent_process()):
        sys.__excepthook__(kind, error, trace)


def config_parser(description: str) -> ArgumentParser:
    """A parser with the arguments of every tool that runs a config."""
    parser = ArgumentParser(description=description)
    parser.add_argument('config', help='config file, e.g. configs/digits/frcnn_tiny.py')
    parser.add_argument('--work-dir', help='folder for the outputs (default: work_dirs/CONFIG)')
    parser.add_argument('--data-root', help='folder with the data set (or set DIGITS_DATA_ROOT)')
    add_config_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed run are started',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=SUPPRESS)
    parser.add_argument('--debug', action='store_true', help='show tracebacks')
    parser.add_argument(
        '--no-preflight', action='store_true', help='go on in spite of what the checks find'
    )
    add_trust_option(parser)
    return parser


def prediction_parser(description: str) -> ArgumentParser:
    """A parser with the arguments of every tool that runs a trained detector on image files."""
    parser = ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, e.g. configs/digits/frcnn_tiny.py')
    parser.add_argument('checkpoint', help='checkpoint file (.pth, .safetensors or .onnx)')
    add_reading_arguments(parser)
    parser.add_argument('--device', help='default: a GPU, if there is one')
    add_config_options(parser)
    add_trust_option(parser)
    parser.set_defaults(data_root=None, work_dir=None, launcher='none', local_rank=0)
    return parser


def add_reading_arguments(parser: ArgumentParser) -> None:
    """Add the images and how they are read."""
    from mmdet_digits.image_reading import MAX_PIXELS

    parser.add_argument('images', nargs='+', help='files, folders or quoted patterns')
    parser.add_argument(
        '--assembly',
        metavar='PRESET|FILE.json',
        help='how boxes become numbers: default, system_a, system_b, or a file (if not given: as '
        'the config says)',
    )
    parser.add_argument('--batch-size', type=positive, default=16, help='default: 16')
    parser.add_argument(
        '--max-pixels',
        type=positive,
        default=MAX_PIXELS,
        metavar='N',
        help='images of more pixels are not read (default: 100,000,000)',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace earlier outputs')
    parser.add_argument('--debug', action='store_true', help='show tracebacks')


def add_config_options(parser: ArgumentParser) -> None:
    """Add ``--cfg-options``, which :func:`load_config` obeys."""
    from mmengine.config import DictAction  # here, since the doctor needs nothing but Python

    parser.add_argument(
        '--cfg-options',
        nargs='+',
        type=path_and_value,
        action=DictAction,
        default={},
        metavar='PATH=VALUE',
        help='change values of the config, e.g. train_dataloader.batch_size=8; a path that does '
        'not exist is an error, +PATH=VALUE adds one',
    )


def add_trust_option(parser: ArgumentParser) -> None:
    """Add ``--trust-checkpoint``, which :func:`load_config` and the converters obey."""
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='let a checkpoint run what code it holds, with all your rights',
    )


def add_ignore_classes(parser: ArgumentParser) -> None:
    """Add the option of the tools that read COCO files."""
    parser.add_argument(
        '--ignore-classes',
        type=name_list,
        default=[],
        metavar='A,B',
        help='leave out categories of these names, with their boxes',
    )


def parse_config_options(texts: Sequence[str]) -> dict[str, Any]:
    """The values by their paths of ``PATH=VALUE`` arguments."""
    parser = ArgumentParser()
    add_config_options(parser)
    return parser.parse_args(['--cfg-options', *texts]).cfg_options if texts else {}


def path_and_value(text: str) -> str:
    """A ``PATH=VALUE``, as it is."""
    if '=' not in text:
        raise ArgumentTypeError(f'found {text!r}, expected PATH=VALUE')
    return text


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = None
    if value is None or not 0 <= value <= 1:
        raise ArgumentTypeError(f'found {text!r}, expected a number from 0 to 1')
    return value


def natural(text: str, least: int = 0) -> int:
    """A whole number, 0 or more."""
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value < least:
        raise ArgumentTypeError(f'found {text!r}, expected a whole number, {least} or more')
    return value


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    return natural(text, least=1)


def name_list(text: str) -> list[str]:
    """Names of a line of CSV, so that ``border,","`` is two of them."""
    return [name.strip() for name in next(csv.reader([text]), [])]
