"""The cases of the contract of a store, by kind of state and by what may go wrong."""
