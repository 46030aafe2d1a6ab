"""Operators that take recipients from another system."""
