"""The in-process endpoints; they register by the same hook as strangers."""
