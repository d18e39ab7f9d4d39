"""torchrun, with an exit code that says when a process was killed.

torchrun itself exits with 1 whatever ended its processes, so that want of memory would have no name.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

# As of a process that a shell or Docker sees killed: 128 plus the number of the signal.
KILLED = 128 + signal.SIGKILL


def main(arguments: Sequence[str]) -> int:
    """Run torchrun with these arguments.

    Returns:
        The exit code: 0, `KILLED` if the first process that failed was killed, else 1.
    """
    # Slow to import, and the parent of this process needs only the constant.
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        run.main(list(arguments))
    except ChildFailedError as error:
        print(error, file=sys.stderr, flush=True)
        _, first = error.get_first_failure()
        return KILLED if first.exitcode == -signal.SIGKILL else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
