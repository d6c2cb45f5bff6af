"""Walls before the compilers: what text may hold that is about to be compiled or elaborated.

Generated files are scanned before use, no matter who wrote them: a model's text that found its
way into them, or a project's folder that came by mail, is refused before anything of it runs.
"""
