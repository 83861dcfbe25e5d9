"""Finds problems of a spec that its model accepts."""

import re

from searchaccess.api.accesses.subjects import WORKLOAD_PATTERN
from searchaccess.api.googlecloud import LOCATION_PATTERN, PROJECT_PATTERN
from searchaccess.api.searchaccess import PRIVILEGE_PATTERNS, Grant, SearchAccessSpec
from searchaccess.api.stores.credentials import SECRET_PATTERN, STORE_PATTERN, Auth
from searchaccess.core.model.grants.actions import refusal_of
from searchaccess.core.model.grants.kibana import kibana_problem
from searchaccess.core.model.grants.remote import remote_clusters_problem, remote_where_problem
from searchaccess.core.model.identities.workload import is_service_account
from searchaccess.core.model.restrictions.fields import fields_problem
from searchaccess.core.model.restrictions.where import where_problem
from searchaccess.core.patterns.cost.burden import (
    TOGETHER,
    is_too_complicated_together,
    is_too_much,
    what_is_complicated,
)
from searchaccess.core.patterns.parsed import PatternError, check_index_pattern


def problem_of(spec: SearchAccessSpec) -> str:
    """Return what is wrong although the model accepts it: repeats the CRD's CEL rules, and checks what CEL cannot."""
    if problem := _subject_problem(spec) or _credential_problem(spec):
        return problem
    for position, grant in enumerate(spec.grants):
        if problem := _grant_problem(grant, spec.auth):
            return f"spec.grants[{position}].{problem}"
    if problem := kibana_problem(spec):
        return problem
    patterns = [pattern for grant in spec.grants for pattern in grant.indices]
    return f"spec.grants: {TOGETHER.format(what_is_complicated(patterns))}" if is_too_much(patterns) else ""


def _grant_problem(grant: Grant, auth: Auth) -> str:
    for pattern in grant.indices:
        try:
            check_index_pattern(pattern)
        except PatternError as error:
            return f"indices: {pattern!r}: {error}"
    if is_too_complicated_together(frozenset(grant.indices)):
        return f"indices: {TOGETHER.format(what_is_complicated(grant.indices))}"
    for name in grant.privileges:
        if not any(re.fullmatch(known, name) for known in PRIVILEGE_PATTERNS):
            return f"privileges: {name!r} is not the name of a privilege"
        if problem := refusal_of(name):
            return f"privileges: {problem}"
    if problem := fields_problem(grant.fields):
        return f"fields.{problem}"
    problem = where_problem(grant.where, auth) or remote_where_problem(grant)
    return f"where: {problem}" if problem else remote_clusters_problem(grant)


def _credential_problem(spec: SearchAccessSpec) -> str:
    credential = spec.credential
    if credential is None:
        return ""
    for field, text, pattern in (("store", credential.store, STORE_PATTERN), ("name", credential.name, SECRET_PATTERN)):
        if not re.fullmatch(pattern, text):
            return f"spec.credential.{field}: {text!r} is not the name of a {'store' if field == 'store' else 'secret'}"
    return ""


def _subject_problem(spec: SearchAccessSpec) -> str:
    subject = spec.subject
    if subject.service_account is not None:
        right = is_service_account(subject.service_account)
        return "" if right else "spec.subject.serviceAccount: not the e-mail address of a Google service account"
    reference = subject.cloud_run_service or subject.cloud_run_job or subject.cloud_run_worker_pool
    return reference_problem(reference.project, reference.location, reference.name) if reference else ""


def reference_problem(project: str, location: str, name: str) -> str:
    """Return what is wrong with the name of a Cloud Run workload; empty: nothing."""
    for field, text, pattern in (
        ("project", project, PROJECT_PATTERN),
        ("location", location, LOCATION_PATTERN),
        ("name", name, WORKLOAD_PATTERN),
    ):
        if not re.fullmatch(pattern, text):
            return f"spec.subject: {field}: not the {field} of a Cloud Run workload"
    return ""
