"""Processes of their own that need not import anything: they are forked from one that has imported what they need.

Starting Python and importing is most of what a short command takes, or a worker's start. All else is as if they had been
started by themselves, but for these: `ps` shows another command line, and the parent of each is nobody that it knows.
"""

from tests.forked.command import BegunCommand, begin, run
from tests.forked.template import fits

__all__ = ["BegunCommand", "begin", "fits", "run"]
