"""Pages for people, and what they show."""
