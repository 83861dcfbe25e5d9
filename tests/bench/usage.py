"""What a process used, as it says itself before it ends. It imports nothing that would count."""

import json
import sys
import time
from pathlib import Path


def usage(code: object = None, cpu: float | None = None) -> None:
    """Print what this process used, as JSON on standard error.

    Args:
        code: with which it ends.
        cpu: seconds of a part of it; None: all of it counts.
    """
    # Peak memory of a child that ended would include that of the process which started it.
    status = Path("/proc/self/status")
    peak = next((line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")), "0")
    used = time.process_time() if cpu is None else cpu
    print(json.dumps({"code": code, "cpu": used, "mib": int(peak) / 1024}), file=sys.stderr)
