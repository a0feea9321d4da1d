"""The subcommands of `bsft`, one small module each: `configure(parser)` and `run(arguments) -> exit status`.

A module is imported only when its command is called; whatever is slow to import, it imports inside `run`.
"""
