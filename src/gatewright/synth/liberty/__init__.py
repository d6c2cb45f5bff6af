"""Standard cells: any library in Liberty format, mapped by Yosys and ABC."""
