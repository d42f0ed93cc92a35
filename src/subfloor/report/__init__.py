"""What a run says: the same values as lines for a person, or as one JSON document for a program.

The text is made by pure functions, so that golden files can hold it still; only ``screen`` and
``live`` know that there is a terminal.
"""
