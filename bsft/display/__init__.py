"""How things look to a person, whatever they are: the console, progress bars, HTML pages, the canvas of figures.

Knows no benchmark, no model and no result.
"""
