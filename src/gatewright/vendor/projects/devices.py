"""Devices of vendors: defaults, and settings of devices that tools need."""

from __future__ import annotations

import re
from typing import Literal, get_args

from pydantic import TypeAdapter, ValidationError

from gatewright.errors import InputError
from gatewright.vendor.projects.boards import PartName

ProjectTool = Literal["quartus", "radiant", "vitis_hls", "vivado"]
"""A tool that projects are written for."""

PROJECT_TOOLS: tuple[ProjectTool, ...] = get_args(ProjectTool)

#: Large devices, which designs for another vendor's target are likely to fit.
DEFAULT_PARTS: dict[ProjectTool, str] = {
    "quartus": "5CGXFC9E7F35C8",
    "radiant": "LFCPNX-100-9LFG672C",
    "vitis_hls": "xcvu13p-flga2577-2-e",
    "vivado": "xcvu13p-flga2577-2-e",
}

#: Families in Quartus by the prefix of device names.
_QUARTUS_FAMILIES = {
    "10AS": "Arria 10",
    "10AX": "Arria 10",
    "10AT": "Arria 10",
    "10CL": "Cyclone 10 LP",
    "10CX": "Cyclone 10 GX",
    "10M": "MAX 10",
    "1S": "Stratix 10",
    "5A": "Arria V",
    "5C": "Cyclone V",
    "5S": "Stratix V",
    "A5E": "Agilex 5",
    "AGF": "Agilex 7",
    "AGI": "Agilex 7",
    "EP4CE": "Cyclone IV E",
    "EP4CG": "Cyclone IV GX",
}

_NEXUS = re.compile(r"(LIFCL|LFD2NX|LFCPNX|LFMXO5|UT24C)-\d+[A-Z]*-(?P<grade>[7-9])[A-Z]+\d+[A-Z]+")
_ICE40_ULTRA_PLUS = re.compile(r"iCE40UP\d+K-[A-Z]+\d+I?")


def parse_tool(text: str) -> ProjectTool:
    """Parse the name of a tool.

    Raises:
        InputError: if projects can't be written for it.
    """
    for tool in PROJECT_TOOLS:
        if text == tool:
            return tool
    raise InputError(f"--tool {text}: choose from {', '.join(PROJECT_TOOLS)}")


def check_part(tool: ProjectTool, part: str) -> None:
    """Check that a tool supports a device.

    Raises:
        InputError: if the name is not valid, or the family is not supported by the tool's scripts.
    """
    try:
        TypeAdapter(PartName).validate_python(part)
    except ValidationError:
        raise InputError(
            f"part {part[:80]!a}: letters, digits, '-', '.', '_' and '/' are expected"
        ) from None
    if tool == "quartus":
        quartus_family(part)
    elif tool == "radiant":
        radiant_performance(part)
    elif not part.lower().startswith("xc"):
        raise InputError(f"part {part}: a device of AMD is expected, for example xc7a35tcpg236-1")


def quartus_family(part: str) -> str:
    """The family of an Intel device, as Quartus calls it.

    Raises:
        InputError: if the family is not known.
    """
    for prefix, family in _QUARTUS_FAMILIES.items():
        if part.upper().startswith(prefix):
            return family
    known = ", ".join(sorted(set(_QUARTUS_FAMILIES.values())))
    raise InputError(f"part {part}: its Quartus family is not known; choose from {known}")


def radiant_performance(part: str) -> str:
    """The performance grade of a Lattice device, as Radiant calls it.

    Raises:
        InputError: if the family is not known.
    """
    if (match := _NEXUS.fullmatch(part)) is not None:
        return f"{match['grade']}_High-Performance_1.0V"
    if _ICE40_ULTRA_PLUS.fullmatch(part):
        return "High-Performance_1.2V"
    raise InputError(
        f"part {part}: a full name of a Nexus or iCE40 UltraPlus device is expected for Radiant, "
        f"for example {DEFAULT_PARTS['radiant']}"
    )
