"""Stops the servers of a state folder when the process that supervises them has ended in any way.

Started by the supervisor with the folder, its own process id and the descriptor of the folder's lock, which therefore
stays taken until the last server is gone.
"""

import os
import select
import signal
import sys
from pathlib import Path

from local_stack.processes import Processes


def watch(root: Path, supervisor: int) -> None:
    """Wait for the end of ``supervisor``, then stop whatever it left running."""
    try:
        ended = os.pidfd_open(supervisor)
    except ProcessLookupError:
        ended = None
    # A process id that is not our parent's any more belongs to a stranger.
    if ended is not None and os.getppid() == supervisor:
        select.select([ended], [], [])
    Processes(root).stop_all()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch(Path(sys.argv[1]), int(sys.argv[2]))
