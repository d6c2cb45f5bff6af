"""What scripts of users import stays where it is."""

import importlib

import pytest

PATHS = {
    "gatewright": ("ConvertOptions", "convert", "golden", "summarize", "synthesize", "verify"),
    "gatewright.design": ("Design", "golden"),
    "gatewright.errors": ("DesignFailure", "InputError", "UnsupportedError"),
    "gatewright.fixed": ("FixedType", "cast", "from_float", "to_float"),
    "gatewright.options": ("ConvertOptions",),
    "gatewright.simulate.packing": ("pack", "unpack"),
    "gatewright.synth": ("synthesize", "synthesize_files", "export_netlist"),
}


@pytest.mark.parametrize(
    ("module", "name"), [(m, name) for m, names in PATHS.items() for name in names]
)
def test_names_stay(module, name):
    assert hasattr(importlib.import_module(module), name)
