"""RTL projects: their manifest, the library of modules, and names."""
