"""What operators do with dead letters: find, read, edit, try, replay, discard them. The command line is made of it.

Functions take a store, and where a route has to run its routes and setup; what they take and give is plain data.
Whatever changes a letter is written into the store's audit, with the name of who did it.
"""
