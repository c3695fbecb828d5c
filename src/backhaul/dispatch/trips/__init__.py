"""Trips: booked as appointments, driven, put into calendars, shown by day and week."""
