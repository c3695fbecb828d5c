"""Who may come in and as what: users, profiles, passwords that are lost, the record of activity."""
