"""The source that polls: pages of rows, whose position moves only over rows that are done."""

from .source import HttpPoll as HttpPoll
from .source import HttpsPoll as HttpsPoll
