"""What the office decides for itself, and how its installation is."""
