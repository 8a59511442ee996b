"""Offprint without the half that measures; this package holds the program."""
