"""Times of the day or week at which rights are in force."""

from typing import Annotated, Final

from pydantic import Field

from searchaccess.api.base import ApiModel, cel, matches, rules
from searchaccess.api.times.durations import Duration, between

CRON_PATTERN: Final = "^[0-9A-Za-z*,/#-]+( +[0-9A-Za-z*,/#-]+){4}$"
ZONE_PATTERN: Final = "^(UTC|[A-Za-z]+(/[A-Za-z0-9_+-]+)+)$"
LONGEST_CRON: Final = 100
LONGEST_ZONE: Final = 64
BAD_CRON: Final = "write five fields: minute, hour, day of the month, month, day of the week, such as 0 8 * * MON-FRI"
BAD_ZONE: Final = "write the name of a time zone, such as Europe/Berlin or UTC"


class ScheduleSpec(ApiModel):
    """Windows in which rights are in force."""

    cron: Annotated[str, Field(max_length=LONGEST_CRON, json_schema_extra=rules(cel(matches(CRON_PATTERN), BAD_CRON)))]
    """When each window begins, in five fields as in cron: minute, hour, day of the month, month, day of the week, such
    as `0 8 * * MON-FRI`."""

    time_zone: Annotated[
        str, Field(max_length=LONGEST_ZONE, json_schema_extra=rules(cel(matches(ZONE_PATTERN), BAD_ZONE)))
    ]
    """Time zone of `cron`, such as `Europe/Berlin` or `UTC`."""

    duration: Annotated[Duration, Field(json_schema_extra=between("1m", "8760h", "10h"))]
    """How long each window lasts, such as `10h`. Windows that overlap are one."""
