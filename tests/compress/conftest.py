"""tf-keras, which all tests of this folder share."""

import pytest

from gatewright.frontend.quiet import import_keras


@pytest.fixture(scope="session")
def keras():
    """tf-keras, with qkeras imported beside it."""
    import_keras("qkeras")
    return import_keras("tf_keras")
