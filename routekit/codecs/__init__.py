"""The formats that bodies are read from and written to."""
