"""The routes that we run: module-level flows, one module per business process."""
