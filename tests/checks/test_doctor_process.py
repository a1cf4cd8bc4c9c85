"""The process of the doctor's checks, when something ends it."""

import os
import signal

from mmdet_digits.checks.doctor import CheckProcess
from mmdet_digits.checks.doctor_steps import Subject
from mmdet_digits.checks.finding import Status


def test_a_process_that_dies_between_two_checks_is_a_finding_and_the_next_has_a_new_one():
    with CheckProcess(debug=False) as process:
        (sound,) = process.run('numpy', Subject())
        os.kill(process._process.pid, signal.SIGKILL)
        process._process.join()
        (dead,) = process.run('numpy', Subject())
        (again,) = process.run('numpy', Subject())
    assert sound.status is Status.OK and again == sound
    assert dead.status is Status.FAIL
    assert (dead.name, dead.found) == ('numpy: the process died.', 'SIGKILL')
