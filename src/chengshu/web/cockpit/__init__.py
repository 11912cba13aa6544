"""The cockpit: the city now, every number with its list."""
