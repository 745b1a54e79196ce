"""The source that polls: pages of rows, whose position moves only over rows that are done."""

from .following import linked as linked
from .pointers import found_at as found_at
from .source import HttpPoll as HttpPoll
from .source import HttpsPoll as HttpsPoll
