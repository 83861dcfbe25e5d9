"""Runs a command that the kernel kills when the process that started it ends, however that ends.

Usage: `python dies_with_parent.py PARENT_PID COMMAND…`. Only the standard library: it starts in 20 ms.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent = int(sys.argv[1])
    if sys.platform == "linux":  # Elsewhere only the launcher's own clean-up stops servers.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # It ended before we asked.
            sys.exit("the parent is gone")
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - becoming that program, without a shell, is the purpose.


if __name__ == "__main__":
    main()
