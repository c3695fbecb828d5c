"""The demo office: people and places, clients who do not exist, and trips for every day."""
