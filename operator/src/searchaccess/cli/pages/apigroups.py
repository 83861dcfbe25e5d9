"""The reference of the parts of Elasticsearch's API that callers may be limited to."""

from searchaccess.api.vocabulary.apigroups import ApiGroup
from searchaccess.cli.pages.markdown import as_code, page, table


def api_groups_page() -> str:
    """Return the reference of the parts of the API."""
    groups = [[f"`{group}`", group.contains, as_code(group.examples)] for group in ApiGroup]
    return page(
        "API groups",
        "The parts of Elasticsearch's API that `limits.apis` names. A [gateway](limits.md) distinguishes them by "
        "the path of a request.",
        *table(["Group", "Contains", "Such as"], groups),
        "Each path is in exactly one group, which a test checks for every request of the official client 8.19, with "
        "and without an index, and however it is written. The method does not matter: what a caller may read, write or "
        "delete follows from its grants.",
        "- `Cluster` is everything that no other group has, also paths of future releases. A caller that may use it "
        "may also use APIs that search in their own way, such as `_application/search_application`, as far as its "
        "grants allow.",
        "- A search with the parameter `scroll` needs `Search` and `Stateful`.",
        "- A path such as `/orders/_doc/_search` is a document or a search, depending on a header of the request. It "
        "needs both groups.",
        "- `/_security` and `/_xpack` are refused to every caller, except `/_security/_authenticate`, "
        "`/_security/user/_has_privileges` and `/_security/user/_privileges`. These three are in `Cluster`.",
        "- A path with an empty part (`//`), or with other characters than printable ASCII, is refused to a caller "
        "with `apis`: percent-encode them.",
    )
