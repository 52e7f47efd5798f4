"""Searches grouped by template, observation, or target and night."""
