"""The output of a run: the same values as lines of text, or as one JSON document.

Pure functions make the text, so golden files can test it; only ``screen`` and ``live`` know about a terminal.
"""
