"""None: a measurement needs none."""
