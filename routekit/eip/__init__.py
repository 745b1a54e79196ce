"""One file for each enterprise integration pattern: a frozen step that is its definition and its behaviour."""
