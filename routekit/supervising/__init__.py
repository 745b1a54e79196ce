"""Several processes that run the same routes, and one that looks after them."""
