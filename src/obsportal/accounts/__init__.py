"""People, and what they may see and do."""
