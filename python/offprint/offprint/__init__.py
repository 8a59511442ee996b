"""Offprint is a program; this package holds it. `python -m offprint` is the same as `offprint`."""
