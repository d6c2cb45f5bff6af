"""Projects for the tools of vendors: scripts, constraints, lists of files, a wrapper for boards."""
