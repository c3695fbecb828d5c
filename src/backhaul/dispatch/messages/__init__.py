"""What the office tells people: texts, notices, mails; each once."""
