"""Logging as it was before a command of the operator ran in the tests' own process."""

import sys
from functools import lru_cache

import structlog


def forget_configuration() -> None:
    """Undo what a command configured, and what loggers remember of it: tests could not capture what these log.

    A logger that was first used meanwhile keeps what was configured then (``cache_logger_on_first_use``).
    """
    structlog.reset_defaults()
    for log in _logs(len(sys.modules)):
        vars(log).pop("bind", None)


@lru_cache(maxsize=1)  # Each of thousands of tests asks, and few of them import anything.
def _logs(_modules: int) -> list[object]:
    ours = [module for name, module in list(sys.modules.items()) if name.startswith("searchaccess.")]
    return [module.log for module in ours if getattr(module, "log", None) is not None]
