"""Keeps the records up to date from the archives and from other portals."""
