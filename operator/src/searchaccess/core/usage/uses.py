"""What is asked about audit events, and what they say: who was last allowed a request, and when."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UsesWanted:
    """Whose last uses are asked for. Times are seconds since the epoch.

    Attributes:
        index: name or pattern of the index with the events.
        since: events before it do not count.
        until: events from it on do not count.
        users: names of callers in Elasticsearch.
        prefix: of names of users and of API keys that are ours, whatever follows.
        from_the_first: also ask when the first event was.
    """

    index: str
    since: float
    until: float
    users: tuple[str, ...] = ()
    prefix: str = ""
    from_the_first: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """The last allowed request of one caller.

    Attributes:
        user: as whom it was allowed; of an API key, its owner.
        key_id: of the API key; empty: none.
        key_name: of the API key; whoever makes a key chooses it.
        at: seconds since the epoch.
    """

    user: str
    key_id: str
    key_name: str
    at: float


@dataclass(frozen=True, slots=True)
class Uses:
    """The answer.

    Attributes:
        uses: one for each caller and key.
        first: when the first event was that the index still has; None: not asked for, or there is none.
        newest: when the newest was, before the end that was asked for; None: there is none.
        keys: whether events name API keys.
    """

    uses: tuple[Use, ...] = ()
    first: float | None = None
    newest: float | None = None
    keys: bool = True
