"""Projects for vendor tools: scripts, constraints, file lists, a wrapper for boards."""
