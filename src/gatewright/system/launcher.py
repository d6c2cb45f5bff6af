"""Limits itself, then becomes another program: how `system.processes` starts what it limits.

Run as a file by a bare interpreter, so it imports nothing of Gatewright and nothing that takes
time. What the system doesn't offer (namespaces, on some systems) is left out in silence; who wants
to know asks `gatewright.system.processes.network_can_be_closed`.
"""

import contextlib
import os
import resource
import signal
import sys

_CLONE_NEWUSER, _CLONE_NEWNET = 0x1000_0000, 0x4000_0000
_PR_SET_PDEATHSIG = 1

CANNOT_START = 127
"""The status where there is no such program, as shells have it."""


def _limit(kind: int, value: int) -> None:
    """Lower a limit; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _leave_network() -> None:
    """Go where there is no network, not even to this machine: a namespace of its own."""
    import ctypes

    unshare = ctypes.CDLL(None).unshare
    user, group = os.geteuid(), os.getegid()
    if user == 0 and unshare(_CLONE_NEWNET) == 0:
        return
    if unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        # Who we are stays the same; unmapped we would be nobody.
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - pathlib takes time
                file.write(text)


def _end_with(parent: int) -> None:
    """Be killed when the thread that started this process ends, even if it is killed itself."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def main(parent: int, memory: int, cpu: int, file: int, network: int, *command: str) -> int:
    """Run a command under limits; 0 stands for no limit.

    Args:
        parent: process that this one ends with.
        memory: address space, bytes.
        cpu: processor time, seconds.
        file: largest file that may be written, bytes.
        network: whether the network stays.
        command: program and arguments.
    """
    with contextlib.suppress(OSError, AttributeError):  # only Linux has these
        _end_with(parent)
        if not network:
            _leave_network()
    _limit(resource.RLIMIT_CORE, 0)
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, file),
    ):
        if value:
            _limit(kind, value)
    try:
        os.execvp(command[0], command)  # noqa: S606 - that there is no shell is the point
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
    return CANNOT_START


if __name__ == "__main__":
    # Five numbers, then the command; to mypy two unpacked lists are one.
    sys.exit(main(*map(int, sys.argv[1:6]), *sys.argv[6:]))  # type: ignore[arg-type]
