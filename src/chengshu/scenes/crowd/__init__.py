"""Crowds in metro stations: more people entering than is usual for the station, the hour and the kind of day."""
