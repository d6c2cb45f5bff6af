"""Sets limits on its own process, then executes another program; used by `system.processes`.

It is run as a file by a bare interpreter, so it imports nothing of Gatewright and nothing slow.
Limits that the system doesn't support (namespaces, on some systems) are silently left out;
`gatewright.system.processes.network_can_be_closed` tells whether they are.
"""

import contextlib
import os
import resource
import signal
import sys

_CLONE_NEWUSER, _CLONE_NEWNET = 0x1000_0000, 0x4000_0000
_PR_SET_PDEATHSIG = 1

CANNOT_START = 127
"""Exit status if there is no such program, as in shells."""


def _limit(kind: int, value: int) -> None:
    """Lower a limit, unless it is already lower."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _raise_stack(value: int) -> None:
    """Raise the limit on the stack, as far as the system lets it be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    if soft != resource.RLIM_INFINITY and soft < value:
        resource.setrlimit(resource.RLIMIT_STACK, (value, hard))


def _leave_network() -> None:
    """Enter a new network namespace, without any network, not even the loopback interface."""
    import ctypes

    unshare = ctypes.CDLL(None).unshare
    user, group = os.geteuid(), os.getegid()
    if user == 0 and unshare(_CLONE_NEWNET) == 0:
        return
    if unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        # Map user and group to themselves; unmapped they would be nobody.
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - pathlib takes time
                file.write(text)


def _end_with(parent: int) -> None:
    """Have this process killed when the thread that started it ends, even if that is killed."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def main(
    parent: int, memory: int, cpu: int, file: int, stack: int, network: int, *command: str
) -> int:
    """Run a command under limits; 0 stands for no limit.

    Args:
        parent: id of the process that this one ends with.
        memory: address space, in bytes.
        cpu: processor time, in s.
        file: largest file that may be written, in bytes.
        stack: what the stack must have room for, in bytes.
        network: whether the network stays available.
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
    _raise_stack(stack)
    try:
        os.execvp(command[0], command)  # noqa: S606 - on purpose without a shell
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
    return CANNOT_START


if __name__ == "__main__":
    # Six numbers, then the command; mypy can't tell the two unpacked lists apart.
    sys.exit(main(*map(int, sys.argv[1:7]), *sys.argv[7:]))  # type: ignore[arg-type]
