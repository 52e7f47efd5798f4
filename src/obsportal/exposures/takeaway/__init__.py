"""What people take away: list check, observing log, download lists, feeds, citations."""
