"""The floor: what the operator writes when it starts, written by a script that knows what to write and checks nothing.

A process of its own, so that both pay for starting Python. Standard input says what the operator wrote for one
SearchAccess, and writes the same for all of them under their own names.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

from tests.bench.bare import BareKubernetes, bulk_roles


async def main() -> None:
    """Do it; print a line when all roles are there and one when all statuses are."""
    given = json.load(sys.stdin)
    sample, prefix = given["sample"], given["prefix"]

    def rewritten(text: str) -> Callable[[dict[str, Any]], Any]:
        return lambda item: json.loads(text.replace(sample, item["metadata"]["name"]))

    role, name, status = rewritten(given["role"]), rewritten(json.dumps(given["role_name"])), rewritten(given["status"])
    async with BareKubernetes(*given["kubernetes"]) as bare:
        mine = [item for item in await bare.list() if item["metadata"]["name"].startswith(f"{prefix}-")]
        if given["set_finalizers"]:
            await bare.patch(mine, lambda _: {"metadata": {"finalizers": given["finalizers"]}})
        url, ca_file, username, password = given["elasticsearch"]
        await bulk_roles(url, ca_file, username, password, {name(item): role(item) for item in mine})
        print("roles", flush=True)
        await bare.patch(mine, lambda item: {"status": status(item)}, "/status")
        print("statuses", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
