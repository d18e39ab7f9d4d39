"""torchrun, with an exit code that shows that a process was killed.

torchrun itself always exits with 1 on failure, also when a process was killed because memory ran out.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

# As shells and Docker report it: 128 plus the number of the signal. The run reads it as OutOfMemory
# (lib/core/jobs/outcome.ts).
KILLED = 128 + signal.SIGKILL


def main(arguments: Sequence[str]) -> int:
    """Run torchrun with these arguments.

    Returns:
        The exit code: 0 on success, `KILLED` if the first process to fail was killed, otherwise 1.
    """
    # Imported here because it is slow, and the parent process needs only the constant.
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
