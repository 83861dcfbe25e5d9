"""All escapes."""

from typing import Final

from tests.unit.policy.escapes.actions import actions
from tests.unit.policy.escapes.cases import Escape
from tests.unit.policy.escapes.documents import QUERIES, fields
from tests.unit.policy.escapes.limits import limits
from tests.unit.policy.escapes.names import NAMES
from tests.unit.policy.escapes.subjects import credentials, subjects

ALL: Final[list[Escape]] = [*NAMES, *actions(), *subjects(), *credentials(), *QUERIES, *fields(), *limits()]
