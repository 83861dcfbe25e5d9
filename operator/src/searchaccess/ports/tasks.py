"""Errors of tasks that run concurrently."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def first_error_alone() -> Iterator[None]:
    """Raise the first error of a group of tasks, unchanged: the others were cancelled because of it.

    Raises:
        BaseException: the first error.
    """
    try:
        yield
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
