"""Which SearchAccesses a SearchAccessPolicy applies to."""

from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, matches, rules
from searchaccess.api.clusters.namespaces import AllowedNamespaces, LabelSelector
from searchaccess.api.constants import CLUSTER_NAME_LIMIT

NAMESPACE: str = "{namespace}"
"""Stands for the namespace of the SearchAccess."""

TEXT_PATTERN = r"^[a-z0-9*@.:{}-]+$"

AccountPattern = Annotated[
    str,
    Field(
        min_length=1,
        max_length=254,
        json_schema_extra=rules(
            cel(
                matches(TEXT_PATTERN),
                "write a name, or a wildcard such as acme-* or *@acme-{namespace}.iam.gserviceaccount.com",
            )
        ),
    ),
]
"""A name with ``*`` for any characters and ``{namespace}`` for the namespace of the SearchAccess."""

_LIST = {"x-kubernetes-list-type": "set"}
AccountPatterns = Annotated[list[AccountPattern], Field(min_length=1, max_length=50, json_schema_extra=_LIST)]

_SAY_WHO = "say who: at least one of projects, locations and serviceAccounts"


class SubjectPattern(ApiModel):
    """Subjects of SearchAccesses. All that is given must hold."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel("has(self.projects) || has(self.locations) || has(self.serviceAccounts)", _SAY_WHO)
        )
    }

    projects: Annotated[AccountPatterns | None, Narrows("then any project matches")] = None
    """IDs of Google Cloud projects; wildcards such as `acme-*` allowed, and `{namespace}` stands for the namespace of
    the SearchAccess. The project of the Cloud Run workload, and that of its service account, must match one. Of a
    project's default compute account only the number is known: it counts as the workload's own, and where it is named
    as `serviceAccount` it matches none."""

    locations: Annotated[AccountPatterns | None, Narrows("then any region matches")] = None
    """Regions of Cloud Run workloads, such as `europe-*`. A subject that is named by its service account has none."""

    service_accounts: Annotated[AccountPatterns | None, Narrows("then any service account matches")] = None
    """E-mail addresses of service accounts, such as `*@acme-{namespace}.iam.gserviceaccount.com`. Which account a Cloud
    Run workload runs as is not known with `auth: ApiKey` or `Password`: it matches none."""

    @model_validator(mode="after")
    def _says_who(self) -> "SubjectPattern":
        if not (self.projects or self.locations or self.service_accounts):
            raise ValueError(_SAY_WHO)
        return self


_SAY_WHICH = "say which SearchAccesses: at least one of namespaces, clusters, subjects and labels; or remove match"


class Match(ApiModel):
    """Which SearchAccesses a policy applies to. All that is given must hold."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel("has(self.namespaces) || has(self.clusters) || has(self.subjects) || has(self.labels)", _SAY_WHICH)
        )
    }

    namespaces: AllowedNamespaces | None = None
    """Namespaces of SearchAccesses, by name or by labels."""

    clusters: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=CLUSTER_NAME_LIMIT)]],
            Field(min_length=1, max_length=100, json_schema_extra=_LIST),
        ]
        | None
    ) = None
    """Names of SearchClusters."""

    subjects: Annotated[list[SubjectPattern], Field(min_length=1, max_length=20)] | None = None
    """Subjects; one of them must match."""

    labels: LabelSelector | None = None
    """Labels of the SearchAccess, such as `searchaccess.dev/workload: ai-agent`. Whoever writes the SearchAccess writes
    its labels: select by them what a policy grants more than others, or what everybody has an interest to label."""

    @model_validator(mode="after")
    def _says_which(self) -> "Match":
        if not (self.namespaces or self.clusters or self.subjects or self.labels):
            raise ValueError(_SAY_WHICH)
        return self
