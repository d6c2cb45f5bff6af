"""Runs a compiled emulation in a process of its own, so that a crash affects only this process.

`gatewright.emulation` runs it as a file with a bare interpreter, so it imports neither Gatewright
nor NumPy. Arrays are in memory shared with the parent process; the job is JSON on standard input.
"""

import ctypes
import json
import mmap
import signal
import sys
import threading
import time
from typing import Any

# hls4ml's unrolled layers keep every product on the stack.
_STACK_BYTES = 1 << 28

CANNOT_LOAD = 3
"""Exit status if the library can't be loaded; standard error says why."""


class _TraceData(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("data", ctypes.c_void_p))


def main(descriptor: int) -> int:
    """Run the samples of a job, and return the exit status.

    Args:
        descriptor: file descriptor of the shared memory. It contains the number of finished samples
            (uint64); an array of float64 of shape (samples, size) for each input, output and traced
            layer; and, if the job is timed, the time of each sample in s (float64).
    """
    job = json.load(sys.stdin)
    memory = mmap.mmap(descriptor, 0)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    try:
        library = ctypes.CDLL(job["library"])
        top = library[job["top"]]
    except (OSError, AttributeError) as error:
        print(error, file=sys.stderr)
        return CANNOT_LOAD
    top.restype = None
    top.argtypes = [ctypes.c_void_p] * (len(job["inputs"]) + len(job["outputs"]))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    threading.stack_size(_STACK_BYTES)
    status = [1]

    def run() -> None:
        _run(job, library, top, start)
        status[0] = 0

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return status[0]


def _run(job: dict[str, Any], library: Any, top: Any, start: int) -> None:
    samples, seconds = job["samples"], job["seconds"]
    finished = ctypes.c_uint64.from_address(start)
    # For each array the address of its next sample, and the distance between samples.
    position = start + ctypes.sizeof(finished)
    arrays = []
    for size in (*job["inputs"], *job["outputs"]):
        arrays.append(range(position, position + samples * size * 8, size * 8))
        position += samples * size * 8
    traces = {}
    for name, size in job["layers"]:
        traces[name] = (position, size * 8)
        position += samples * size * 8
    times = (ctypes.c_double * samples).from_address(position) if job["timed"] else None
    copies = []
    if traces:
        library.allocate_trace_storage(ctypes.c_size_t(8))
        found = (_TraceData * len(traces))()
        library.collect_trace_output(found)
        copies = [(item.data, *traces[item.name.decode()]) for item in found]
    for sample, addresses in enumerate(zip(*arrays, strict=True)):
        signal.alarm(seconds)  # ends this process if the sample takes longer
        start_time = time.perf_counter()
        top(*addresses)
        if times is not None:
            times[sample] = time.perf_counter() - start_time
        for source, target, size in copies:
            ctypes.memmove(target + sample * size, source, size)
        finished.value = sample + 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
