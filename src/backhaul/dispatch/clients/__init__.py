"""Clients: who is driven, and where they live."""
