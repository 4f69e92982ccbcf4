"""Bundled tables and generators of problems with a known structure."""

from ._load import load_faithful, load_motorcycle, load_tone

__all__ = [
    "load_faithful",
    "load_motorcycle",
    "load_tone",
]
