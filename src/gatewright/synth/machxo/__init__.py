"""Lattice MachXO2 and MachXO3."""
