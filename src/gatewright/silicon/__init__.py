"""Mapped netlists of standard cells: static timing, switching activity, power and energy."""
