"""What has happened on a queue: folded from its rows and failures, which the broker has from the first one on."""

from warrener.history.durations import Durations
from warrener.history.finding import find_row
from warrener.history.history import History
from warrener.history.reading import HistoryReader

__all__ = ["Durations", "History", "HistoryReader", "find_row"]
