"""The steps of the flow on a project directory: convert, verify, synthesize, summarize."""
