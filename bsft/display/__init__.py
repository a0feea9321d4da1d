"""How things look to a person: the console, progress bars, tables, HTML pages, the canvas of figures.

Knows no benchmark, no model and no result.
"""
