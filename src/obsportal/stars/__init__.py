"""Stars that are known by name: where they were at J2000 and how they move."""
