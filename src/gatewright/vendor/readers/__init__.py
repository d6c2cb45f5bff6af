"""Readers of the reports of vendor tools.

A report is a stranger's text: it is data, of bounded size, and what is not as the format has it is
refused by file and line.
"""
