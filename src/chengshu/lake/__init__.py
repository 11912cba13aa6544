"""Data in bulk: Delta tables in a folder or an object store, and the engines that ask them. Knows nothing of what they hold."""
