#!/usr/bin/env -S python3 -I -S
"""runc, asked only for what this machine's root may give: a runtime for Docker.

Root in a sandbox may lack CAP_SYS_RESOURCE, and runc refuses to give what it does not have: all capabilities, limits
above its own, a better out-of-memory score.
"""

import json
import os
import resource
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

_RUNC = "/usr/sbin/runc"
_SYS_RESOURCE = ("CAP_SYS_RESOURCE", 24)  # linux/capability.h


def main() -> None:
    """Change what Docker asks for, and become runc."""
    arguments = sys.argv[1:]
    bundle = _value(arguments, "--bundle", "-b")
    if bundle and {"create", "run"} & set(arguments):
        file = Path(bundle) / "config.json"
        spec = json.loads(file.read_text())
        soften(spec.get("process") or {})
        file.write_text(json.dumps(spec))
    if "exec" in arguments and (asked := _value(arguments, "--process", "-p")):
        process = json.loads(Path(asked).read_text())
        soften(process)
        Path(asked).write_text(json.dumps(process))
    os.execv(_RUNC, [_RUNC, *arguments])  # noqa: S606 - becoming that program, without a shell, is the purpose.


def soften(process: dict[str, Any]) -> None:
    """Take out of an OCI process what cannot be given.

    Args:
        process: as in the runtime specification; changed.
    """
    name, bit = _SYS_RESOURCE
    if not bounding_set() >> bit & 1:
        for kind, names in (process.get("capabilities") or {}).items():
            process["capabilities"][kind] = [one for one in names or [] if one != name]
    own = int(Path("/proc/self/oom_score_adj").read_text())
    if (asked := process.get("oomScoreAdj")) is not None and asked < own:
        process["oomScoreAdj"] = own
    for limit in process.get("rlimits") or []:
        hard = resource.getrlimit(getattr(resource, limit["type"]))[1]
        if hard != resource.RLIM_INFINITY:
            limit["hard"] = min(limit["hard"], hard)
            limit["soft"] = min(limit["soft"], limit["hard"])


def bounding_set() -> int:
    """Return the capabilities that a process here may ever have, one bit each."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("CapBnd:"))


def _value(arguments: list[str], *names: str) -> str | None:
    pairs = pairwise(arguments)
    return next((value for name, value in pairs if name in names), None)


if __name__ == "__main__":
    main()
