"""OGC SensorThings API 1.1, part 1: Sensing (OGC 18-088)."""
