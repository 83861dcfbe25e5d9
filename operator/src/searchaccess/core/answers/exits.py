"""All exit codes of ``searchaccess``. By itself, as the help of the program needs nothing else."""

from enum import IntEnum


class Exit(IntEnum):
    """All exit codes of ``searchaccess`` (docs/adr/0042); docs/jobs.md has the table."""

    IN_SYNC = 0
    """Everything is as declared, or was corrected."""
    FAILED = 1
    """Something is not as declared although it should be, and the rest was done. Or the run could not start."""
    PENDING = 2
    """Something differs and is only observed, or would be changed by a run that is not a dry run."""
    USAGE = 64
    """The command line is wrong (EX_USAGE of BSD's sysexits): nothing was done."""
