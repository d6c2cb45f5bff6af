"""Calibration of `gatewright estimate` on synthesized projects."""
