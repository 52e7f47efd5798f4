"""Template vocabulary of the synchronisation pages."""
