"""Intel Cyclone V."""
