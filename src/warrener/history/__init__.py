"""What has happened on a queue: folded from its rows and failures, which the broker has from the first one on."""

from warrener.history.durations import Durations
from warrener.history.finding import find_row
from warrener.history.history import History
from warrener.history.reading import HistoryReader
from warrener.history.recent import Recent, recent
from warrener.history.took import Took

__all__ = ["Durations", "History", "HistoryReader", "Recent", "Took", "find_row", "recent"]
