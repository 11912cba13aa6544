"""The desk: people who work on cases all day."""
