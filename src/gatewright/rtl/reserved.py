"""Reserved names in SystemVerilog and C++, and names of top modules."""

from __future__ import annotations

import re

from gatewright.errors import InputError

_LONGEST = 64  # names of files contain it and the name of a layer

_KEYWORDS = """
alias alignas alignof always and and_eq asm assert assign auto automatic begin bind bit bitand
bitor bool break buf byte case casex casez catch char char16_t char32_t checker class clk clocking
compl config const const_cast constexpr constraint continue cover cross deassign decltype default
defparam delete design disable do double dynamic_cast edge else end endcase endmodule enum event
explicit export extends extern false final first float for force foreach forever fork friend
function generate genvar global goto highz0 highz1 if iff import in include initial inline inout
input inside instance int integer interface join large let liblist library local localparam logic
long longint macromodule main matches medium modport module mutable namespace nand negedge new
nmos noexcept nor not not_eq null nullptr operator or or_eq output package packed parameter pmos
posedge primitive priority private program property protected public pull0 pull1 pulldown pullup
pure rand randc real realtime ref reg register reinterpret_cast release repeat restrict return rst
scalared sequence short shortint shortreal signed sizeof small soft solve specify specparam static
static_assert static_cast std string strong strong0 strong1 struct super supply0 supply1 switch
table tagged task template this thread_local throw time timeprecision timeunit tran tri tri0 tri1
triand trior trireg true try type typedef typeid typename union unique unsigned until use using
uwire var vectored virtual void volatile wait wand wchar_t weak weak0 weak1 while wildcard wire
with within wor xnor xor xor_eq
"""

#: Keywords of both languages, which can't be used as names.
RESERVED = frozenset(_KEYWORDS.split())


#: Variables of hls4ml's C++, in the scope of the network's inputs and the top function.
_VARIABLES = re.compile(
    r"(br?|wr?|[adepstz]|t[hl])\d+|y|layer\d+(_[a-z]+)?|output_transform_w\d+"
    r"|(bias|kernel|recurrent_kernel)_\w+_\d+"
)


def is_variable(name: str) -> bool:
    """Whether hls4ml's C++ may have a variable with this name."""
    return _VARIABLES.fullmatch(name) is not None


def is_taken(name: str) -> bool:
    """Whether a name can't be used for a top module and its C++ function."""
    return name in RESERVED or name.startswith("gw_") or is_variable(name)


def identifier(text: str) -> str:
    """Make a name for a module and a C++ project from any text."""
    cleaned = "".join(c if c.isascii() and c.isalnum() else "_" for c in text).strip("_").lower()
    cleaned = cleaned[:_LONGEST].rstrip("_")
    if cleaned[:1].isalpha() and not is_taken(cleaned):
        return cleaned
    return f"model_{cleaned}"[:_LONGEST].rstrip("_")


def check_name(name: str) -> None:
    """Check a user's name for a top module.

    Raises:
        InputError: if it is not an identifier, or reserved.
    """
    if not (name.isascii() and name.isidentifier() and len(name) <= _LONGEST):
        raise InputError(
            f"--name '{name[:80]}': a name has up to {_LONGEST} letters, digits and _, and begins "
            "with a letter"
        )
    if is_taken(name):
        raise InputError(f"--name '{name}': is reserved in SystemVerilog or C++; choose another")
