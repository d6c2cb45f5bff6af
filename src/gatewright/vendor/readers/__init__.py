"""Readers of the reports of vendor tools.

A report is untrusted text. Its size is limited, and anything that does not follow the format is
refused with file and line.
"""
