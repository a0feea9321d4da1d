"""How benchmark items come to be. Nothing in this package imports torch."""
