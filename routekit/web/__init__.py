"""The console: a desk as web pages."""
