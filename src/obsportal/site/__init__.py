"""Settings, urls, base templates, health."""
