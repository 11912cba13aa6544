"""Replays: the recorded input of a city played through the platform's own doors.

Built on cases and evaluation; the command line calls it.
"""
