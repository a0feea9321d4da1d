"""The sub-commands of `bsft`, one small module each: a function whose signature and docstring are the command line.

Knows nothing that another room does not know: a command reads its arguments, calls and prints. A module is imported
only when its command is called; whatever is slow to import and not needed for help, it imports inside the function.
"""
