"""Template filters of the exposure pages."""
