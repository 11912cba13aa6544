"""A scene for measuring only, that enters as a foreign one does: a level of a synthetic sensor above a limit."""
