"""A command that ran in the tests' own process leaves nothing behind of how it logged."""

import structlog
from structlog.testing import capture_logs

from searchaccess.cli.options.common import configure_logging
from searchaccess.engine import barrier
from tests.support.logs import forget_configuration


def test_what_a_command_configured_is_forgotten_also_by_loggers_that_were_used_meanwhile() -> None:
    configure_logging(as_json=True, verbose=False)
    barrier.log.info("used meanwhile")
    structlog.reset_defaults()
    with capture_logs() as unseen:
        barrier.log.info("kept")
    forget_configuration()
    with capture_logs() as seen:
        barrier.log.info("captured")
    assert [entry["event"] for entry in (*unseen, *seen)] == ["captured"]
