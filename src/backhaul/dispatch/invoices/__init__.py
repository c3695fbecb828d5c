"""Invoices: made of ready trips, drawn, mailed, paid."""
