"""One process per worker that does tries, and what its seeds need, made once for all workers."""

import pytest
from runner import Server, prepare

from gatewright.system.files import exclusive


@pytest.fixture(scope="session")
def server(tmp_path_factory, worker_id):
    """What does tries."""
    folder = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        folder = folder.parent
    prepared = folder / "hostile"
    prepared.mkdir(exist_ok=True)
    with exclusive(folder / "hostile.lock"):
        prepare(prepared)
    server = Server(prepared)
    yield server
    server.close()
