"""MQTT: observations come in by publishing, changes go out to subscribers; a broker of our own, or one outside."""
