"""Reading finished things: sweeps, their tables, figures and the page. Nothing here imports torch."""
