import os
from collections import Counter
from functools import partial

import pytest

from mobilevlm_ros.bench.process import Process
from mobilevlm_ros.engine import BackendError


def test_methods_are_called_in_a_process_of_its_own() -> None:
    with Process('a counter', Counter, 'aab') as process:
        assert process.call('most_common', 1) == [('a', 2)]
        assert process.pid != os.getpid()


def test_what_cannot_be_made_says_why() -> None:
    with pytest.raises(BackendError, match='a counter: TypeError'):
        Process('a counter', Counter, 3)


def test_what_a_method_raises_is_raised_here() -> None:
    with Process('a dictionary', dict) as process, pytest.raises(BackendError, match='KeyError'):
        process.call('pop', 'nothing')


def test_a_process_that_ends_is_an_error_and_no_hang() -> None:
    end = Process('an end', partial, os._exit, 7)
    with end as process, pytest.raises(BackendError, match='exit code 7'):
        process.call('__call__')
