"""Operating: what people see of a running service, and may ask of it. Control API, console and commands share it."""
