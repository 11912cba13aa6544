"""Other doors than SensorThings: files, addresses and databases, read by a declared mapping."""
