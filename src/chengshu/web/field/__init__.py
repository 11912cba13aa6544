"""The field: people with a phone at the place."""
