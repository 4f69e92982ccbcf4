"""Tables with categories as numbers."""

from ._encoder import TableEncoder, UnseenLevelWarning

__all__ = ["TableEncoder", "UnseenLevelWarning"]
