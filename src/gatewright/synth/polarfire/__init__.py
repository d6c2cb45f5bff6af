"""Microchip PolarFire."""
