"""Destinations: the clinics people are driven to."""
