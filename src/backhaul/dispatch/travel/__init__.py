"""Where addresses lie, and how long it takes from one to another."""
