"""Names of top modules, which are names in SystemVerilog, in C++ and of files."""

from __future__ import annotations

from gatewright.errors import InputError

_LONGEST = 64  # files are named by it and a layer

_KEYWORDS = """
alias always and assert assign auto automatic begin bind bit bool break buf byte case casex
casez catch char checker class clk clocking config const constraint continue cover cross
deassign default defparam delete design disable do double edge else end endcase endmodule enum
event explicit export extends extern false final first float for force foreach forever fork
friend function generate genvar global goto highz0 highz1 if iff import in include initial
inline inout input inside instance int integer interface join large let liblist library local
localparam logic long longint macromodule main matches mutable medium modport module nand
namespace negedge new nmos nor not null operator or output package packed parameter pmos
posedge primitive priority private program property protected public pull0 pull1 pulldown
pullup pure rand randc real realtime ref reg register release repeat restrict return rst
scalared sequence short shortint shortreal signed sizeof small soft solve specify specparam
static std string strong strong0 strong1 struct super supply0 supply1 switch table tagged task
template this throw time timeprecision timeunit tran tri tri0 tri1 triand trior trireg true try
type typedef typeid typename union unique unsigned until use using uwire var vectored virtual
void volatile wait wand weak weak0 weak1 while wildcard wire with within wor xnor xor

"""

#: Names that a top module or a C++ function can't have.
_RESERVED = frozenset(_KEYWORDS.split())


def identifier(text: str) -> str:
    """A name for a module and a C++ project made of any text."""
    cleaned = "".join(c if c.isascii() and c.isalnum() else "_" for c in text).strip("_").lower()
    cleaned = cleaned[:_LONGEST].rstrip("_")
    if cleaned[:1].isalpha() and cleaned not in _RESERVED and not cleaned.startswith("gw_"):
        return cleaned
    return f"model_{cleaned}"[:_LONGEST].rstrip("_")


def check_name(name: str) -> None:
    """Check the name that a user gives to a top module.

    Raises:
        InputError: if it can't be one.
    """
    if not (name.isascii() and name.isidentifier() and len(name) <= _LONGEST):
        raise InputError(
            f"--name '{name[:80]}': a name is up to {_LONGEST} letters, digits and _, "
            "a letter first"
        )
    if name in _RESERVED or name.startswith("gw_"):
        raise InputError(f"--name '{name}': is taken in SystemVerilog or C++; choose another")
