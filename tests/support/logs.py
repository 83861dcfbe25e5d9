"""Logging as it was before a command of the operator ran in the tests' own process."""

import sys

import structlog


def forget_configuration() -> None:
    """Undo what a command configured, and what loggers remember of it: tests could not capture what these log.

    A logger that was first used meanwhile keeps what was configured then (``cache_logger_on_first_use``).
    """
    structlog.reset_defaults()
    for name, module in list(sys.modules.items()):
        if name.startswith("searchaccess.") and (log := getattr(module, "log", None)) is not None:
            vars(log).pop("bind", None)
