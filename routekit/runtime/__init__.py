"""The machine: binding, intake, service."""
