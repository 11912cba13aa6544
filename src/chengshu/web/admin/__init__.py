"""Administration: the city's configuration, with its history."""
