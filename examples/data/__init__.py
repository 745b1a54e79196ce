"""Sample data for the lead routes, the script that makes it, and the same work written by hand."""
