"""Level 0: raw headers become exposures; search, contract answers and pages."""
