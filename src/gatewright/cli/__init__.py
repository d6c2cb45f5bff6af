"""The command line."""

from gatewright.cli.commands import main

__all__ = ["main"]
