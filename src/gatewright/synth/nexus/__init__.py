"""Lattice Nexus."""
