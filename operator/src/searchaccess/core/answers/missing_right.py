"""Builds the commands that grant a right which the API server reports as missing."""

import re
import shlex
from typing import Final

_FORBIDDEN: Final = re.compile(
    r'User "(?P<user>[^"]{1,500})" cannot (?P<verb>[a-z]{1,30})'
    r' resource "(?P<resource>[a-z0-9/]{1,100})" in API group "(?P<group>[a-z0-9.-]{0,253})"'
    r'(?: in the namespace "(?P<namespace>[a-z0-9-]{1,63})")?'
)
"""The API server's message: https://kubernetes.io/docs/reference/access-authn-authz/authorization/."""
_ACCOUNT: Final = "system:serviceaccount:"


def grant_commands(message: str) -> str:
    """Return the commands with which an administrator grants a missing right; empty: the right is not clear.

    Args:
        message: the API server's message about a forbidden request.
    """
    found = _FORBIDDEN.search(message)
    if found is None:
        return ""
    user, verb, resource, namespace = found["user"], found["verb"], found["resource"], found["namespace"] or ""
    name = f"searchaccess-{verb}-{resource.replace('/', '-')}"
    plural, slash, part = resource.partition("/")
    whole = (f"{plural}.{found['group']}" if found["group"] else plural) + slash + part
    kind, where = ("role", f" -n {namespace}") if namespace else ("clusterrole", "")
    subject = f"--serviceaccount={user.removeprefix(_ACCOUNT)}" if user.startswith(_ACCOUNT) else f"--user={user}"
    role = f"kubectl create {kind} {name} --verb={verb} --resource={whole}{where}"
    binding = f"kubectl create {kind}binding {name} --{kind}={name} {shlex.quote(subject)}{where}"
    return f"{role} && {binding}"
