"""Checks of generated source text before it is compiled or elaborated.

Generated files are scanned before each use, no matter who wrote them. So text of a model that got
into them, or a project directory from somebody else, is refused before any of it runs.
"""
