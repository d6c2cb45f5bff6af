"""Tools of vendors: reports that they wrote are read, and projects for them are written."""
