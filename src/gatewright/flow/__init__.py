"""The flow over a project directory: convert, verify, synthesize, summarize."""
