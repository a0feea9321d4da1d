"""The subcommands of `bsft`, one small module each: `configure(parser)` and `run(arguments) -> exit status`.

Knows nothing that another room does not know: a command reads its arguments, calls and prints. A module is imported
only when its command is called; whatever is slow to import, it imports inside `run`.
"""
