"""Google Cloud project IDs and locations."""

from typing import Annotated, Final

from pydantic import Field

from searchaccess.api.base import cel, matches, rules

# https://cloud.google.com/resource-manager/docs/creating-managing-projects (project IDs, some with a domain before)
PROJECT_PATTERN: Final = r"^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$"
LOCATION_PATTERN: Final = r"^[a-z]+(-[a-z]+)+[0-9]+$"

ProjectId = Annotated[
    str,
    Field(
        max_length=100,
        json_schema_extra=rules(
            cel(matches(PROJECT_PATTERN), "write the project's ID (not its number or title), such as acme-shop")
        ),
    ),
]

Location = Annotated[
    str,
    Field(
        max_length=63,
        json_schema_extra=rules(
            cel(matches(LOCATION_PATTERN), "write the region's name, such as europe-west1 (not a zone)")
        ),
    ),
]
