"""Drivers: where they start from, when they drive, when they are away."""
