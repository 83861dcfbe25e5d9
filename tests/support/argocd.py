"""Argo CD's view of an object: its Lua, run by Lua 5.1, which is what Argo CD's interpreter speaks."""

from typing import Any

from lupa.lua51 import LuaRuntime

from searchaccess.cli.pages.argo import HEALTH
from tests.support.operatorprocess import ROOT

FOLDER = ROOT / "deploy" / "argocd"


def _table(lua: LuaRuntime, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({key: _table(lua, item) for key, item in value.items() if item is not None})
    if isinstance(value, list):
        return lua.table_from([_table(lua, item) for item in value])
    return value


def _plain(value: Any) -> Any:
    if not hasattr(value, "items"):
        return value
    items = dict(value.items())
    if items and all(isinstance(key, int) for key in items):
        return [_plain(items[key]) for key in sorted(items)]
    return {key: _plain(item) for key, item in items.items()}


def run_lua(name: str, raw: dict[str, Any]) -> Any:
    """Run one of the scripts on an object."""
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.globals()["obj"] = _table(lua, raw)
    return _plain(lua.execute((FOLDER / f"{name}.lua").read_text()))


def health_of(raw: dict[str, Any]) -> tuple[str, str]:
    """Return an object's health and what is said of it."""
    found = run_lua(HEALTH[raw["kind"]], raw)
    return found["status"], found["message"]


def kstatus_of(raw: dict[str, Any]) -> str:
    """Return what kstatus, and with it Flux, makes of an object.

    https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/status/generic.go
    """
    metadata, status = raw["metadata"], raw.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return "Terminating"
    if status.get("observedGeneration", metadata.get("generation")) != metadata.get("generation"):
        return "InProgress"
    conditions = {item["type"]: item["status"] for item in status.get("conditions") or []}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready") in {None, "True"} else "InProgress"
