"""Measurements side by side with other designs; `make bench` runs them all. Nothing here is part of the service."""
