"""Functions that are written in a language of their own: queries of JSON and XML, and templates.

Each is compiled where it is written, and can stand wherever a function of the body can.
"""
