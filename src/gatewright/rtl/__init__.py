"""What an RTL project is: its manifest, the library under it, and names in it."""
