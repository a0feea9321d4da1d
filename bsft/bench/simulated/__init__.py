"""Cases from the bank: one patient drawn from a condition, and what of it is shown and answered.

Everything that is drawn is recorded as a fact, and drawn such that neither words nor options give an answer away.
"""
