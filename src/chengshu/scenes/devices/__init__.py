"""Faulty devices: readings that stand still, and readings that leap away and back, of whatever a city measures."""
