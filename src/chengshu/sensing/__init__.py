"""Sensing: things, their datastreams and what they observe, by the OGC SensorThings model (18-088, version 1.1)."""
