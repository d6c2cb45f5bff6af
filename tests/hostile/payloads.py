"""Texts that are code wherever a text of a file is printed, and leave a file where they run."""

from __future__ import annotations

import os
import pickle

#: What code leaves behind; every try has a home directory of its own.
MARKER = "ran_from_a_file"
_SHELL = f"touch $HOME/{MARKER}"
_QUOTED = f'"touch $HOME/{MARKER}"'

CPP = (
    f"}}; static int gw_x = system({_QUOTED}); //",
    f"0); }} static struct Gw {{ Gw() {{ system({_QUOTED}); }} }} gw; void gw_f() {{ ((0",
    f"0; static int gw_y = __builtin_system({_QUOTED})",
    f"8, (system({_QUOTED}), 4)",
    f"relu> (); system({_QUOTED}); //",
    f"x\nstatic int gw_z = system({_QUOTED});\n",
    f"x \\\n*/ static int gw_w = system({_QUOTED}); /*",
    '#include "/etc/hostname"',
    '"\n#include "/etc/hostname"\n"',
    f"??/\nstatic int gw_v = system({_QUOTED});",
    f"__attribute__((constructor)) void gw_c() {{ system({_QUOTED}); }}",
    f'asm(".section .init_array"); system({_QUOTED})',
)
SYSTEMVERILOG = (
    f"x; initial $system({_QUOTED}); //",
    f"8'd0; endmodule module gw_x; initial $system({_QUOTED}); endmodule //",
    f"$system({_QUOTED})",
    f'$c("system(\\"touch $HOME/{MARKER}\\")")',
    f'import "DPI-C" function int system(string s); initial system({_QUOTED});',
    '`include "/etc/hostname"',
    f"`define begin $system({_QUOTED});",
)
SHELL = (
    f"$({_SHELL})",
    f"`{_SHELL}`",
    f"x; {_SHELL}; #",
    f"x' ; {_SHELL} ; '",
    f"|{_SHELL}",
    f"-o/dev/null\n\t{_SHELL}",
    f"$(shell {_SHELL})",
    f"--make-arg={_SHELL}",
)
PYTHON = (
    f"__import__('os').system('{_SHELL}')",
    f"quantized_bits(__import__('os').system('{_SHELL}'))",
    f"{{0.__class__.__init__.__globals__}}{{{{ x.__init__.__globals__.os.popen('{_SHELL}')}}}}",
)
YAML = (
    f"!!python/object/apply:os.system ['{_SHELL}']",
    f"!!python/object/new:os.system ['{_SHELL}']",
    "!!python/name:os.system",
)
#: Must not come out unescaped.
HTML = (
    "<script>alert('gw')</script>",
    '"><img src=x onerror="alert(\'gw\')">',
    "</script><script>alert('gw')</script>",
)
SHEET = ("=cmd|'/C calc'!A0", "+1+1", "-1+1", "@SUM(1)", "\t=1")
TERMINAL = (
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[31m",
    "a\rb",
    "a\x08\x08b",
    "\x9b31m",
    "a\x00b",
    "a\nb",
    "\u202edcba",
    "[link=file:///etc/passwd]x[/link]",
    "[bold red]x",
)
NAMES = (
    "a;x",
    "a b",
    "a`b",
    "../../x",
    "/etc/passwd",
    "a\\b",
    "Ünïcode",
    "",
    ".",
    "\ud800",
    "CON",
    "int",
)

#: All that a text of a model may be.
TEXTS = (*CPP, *SYSTEMVERILOG, *SHELL, *PYTHON, *YAML, *HTML, *SHEET, *TERMINAL, *NAMES)


class _Runs:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (_SHELL,)


def pickled() -> bytes:
    """A pickle that leaves the marker where it is loaded."""
    return pickle.dumps(_Runs())
