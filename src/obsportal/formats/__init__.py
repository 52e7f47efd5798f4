"""Bytes to plain typed records and back. No Django here."""
