"""The one family of errors a user can cause: the command line prints them as a sentence and exits with status 2."""

from __future__ import annotations


class UserError(Exception):
    """Something the user gave is wrong; the message is one sentence that names it and says what was expected."""


class AbsentField(UserError, AttributeError):
    """A Clip was asked for a field that it does not carry."""
