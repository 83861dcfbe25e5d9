"""Names that manifests, Elasticsearch objects and the operator agree on."""

from typing import Final

GROUP: Final = "searchaccess.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

FINALIZER: Final = f"{GROUP}/revoke"
"""Keeps a deleted object until Elasticsearch confirms that its rights are gone."""

ANNOTATION_RECONCILE: Final = f"{GROUP}/reconcile-requested-at"
"""Any new value requests a reconcile now; echoed in ``status.lastHandledReconcileAt``, cut at 128 characters."""

ANNOTATION_ROTATE: Final = f"{GROUP}/rotate-requested-at"
"""Any new value requests a rotation now; echoed in ``status.credential.rotationRequest``, cut in the same way."""

ANNOTATION_ADOPT: Final = f"{GROUP}/adopt"
"""``name@hash`` of the foreign role or role mapping that may be adopted if its content still has this hash."""

ANNOTATION_ACCEPT_UUID: Final = f"{GROUP}/accept-uuid"
"""On a SearchCluster: the uuid of the Elasticsearch cluster that a person agrees to use from now on."""

ANNOTATION_REQUESTED_BY: Final = f"{GROUP}/requested-by"
"""On a SearchAccess: the user who wrote its spec, which an admission policy compares with the user of the request."""

ANNOTATION_BREAK_GLASS: Final = f"{GROUP}/break-glass"
"""On a SearchAccess: why it needs its rights before anybody can approve them."""

ANNOTATION_LINT_IGNORE: Final = f"{GROUP}/lint-ignore"
"""On any object: rules of ``searchaccess lint`` that do not apply to it, such as ``SA010, SA013``."""

LABEL_WORKLOAD: Final = f"{GROUP}/workload"
"""On a SearchAccess: what kind of workload it is for."""

AI_AGENT: Final = "ai-agent"
"""Value of that label for AI agents, which may call fewer parts of the API through a gateway unless declared."""

MANAGED_BY: Final = GROUP
"""Value of ``metadata.managed_by`` in every Elasticsearch object of the operator."""

ROLE_PREFIX: Final = "searchaccess"
"""Roles and role mappings are named ``searchaccess.<instance>[.<principal>]``."""

CLUSTER_NAME_LIMIT: Final = 63
"""Longest name of a SearchCluster."""

GOOGLE_ISSUER: Final = "https://accounts.google.com"
"""Issuer of Google's identity tokens."""

GOOGLE_JWKS_URL: Final = "https://www.googleapis.com/oauth2/v3/certs"
"""Where Google publishes the keys of its identity tokens.

https://accounts.google.com/.well-known/openid-configuration (``jwks_uri``)
"""
