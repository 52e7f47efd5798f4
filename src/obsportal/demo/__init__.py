"""A physically consistent demonstration archive, generated from a seed."""
